"""How many pages a worker holds at once."""

import asyncio

from pecia_core.vocabulary import EngineState
from pecia_dispatch import Fleet, OcrClient

# Before the ocr service has said what it offers: some pages need no OCR.
_UNKNOWN = 2
_LOOK_S = 5.0


def offered(fleet: Fleet) -> int:
    """Pages the fleet can read at once, and half as many that are drawn or stored meanwhile."""
    slots = sum(offer.slots for offer in fleet.engines if offer.state is EngineState.READY)
    return slots + (slots + 1) // 2


class Room:
    """What the settings say, else what the ocr service offers, looked at every few seconds."""

    def __init__(self, client: OcrClient, most: int) -> None:
        """`most` = pages at once; 0 = what is offered."""
        self._client = client
        self._most = most
        self._offered = _UNKNOWN

    def pages(self) -> int:
        """Pages to hold at once, at least 1."""
        return self._most or self._offered

    async def watch(self) -> None:
        """Keep looking until cancelled."""
        while not self._most:
            self._offered = offered(await self._client.describe()) or self._offered
            await asyncio.sleep(_LOOK_S)
