"""A queue of document ids in Redis, as an existing backend fills it."""

import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from pecia_worker.intake import scripts
from pecia_worker.intake.keys import QueueKeys
from pecia_worker.intake.link import RedisLink
from pecia_worker.intake_settings import IntakeSettings

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Take:
    """An id taken from the list. `takes` counts from 1, over all workers, until the push ends.

    `token` stands for one push of the backend: the same one however often it is taken, a new one when the
    backend pushes the id again after its end. Empty = the id was in hand already and needs nothing.
    """

    raw: bytes
    token: str
    takes: int

    @property
    def document_id(self) -> str:
        """The id as text; what is not UTF-8 is shown by a mark."""
        return self.raw.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Stale:
    """A member of the processing set that gave no sign of life. `token` empty = not one of ours."""

    take: Take
    stamp: bytes


@dataclass(frozen=True, slots=True)
class Ending:
    """What is said of a push that has ended; `message` empty = nothing."""

    message: str = ""
    dead: bool = False


class DocumentQueue:
    """Takes ids, keeps them alive, gives them back and ends them. Each method is one step in Redis."""

    def __init__(self, link: RedisLink, settings: IntakeSettings) -> None:
        """Nothing is asked yet."""
        self._link = link
        self._keys = QueueKeys.of(settings)
        self._settings = settings

    async def check(self) -> None:
        """Try that the keys can be used. Raises as `RedisLink.check` does."""
        await self._link.check(self._keys.all)

    async def take(self) -> Take | None:
        """The next id; None = there is none, or too many are open."""
        found = await self._run(scripts.TAKE, secrets.token_hex(8), self._settings.max_open)
        return Take(found[0], found[1].decode(), int(found[2])) if found else None

    async def beat(self, takes: Iterable[Take]) -> None:
        """Say that these are being worked on."""
        pairs = [part for take in takes for part in (take.raw, take.token)]
        if pairs:
            await self._run(scripts.BEAT, *pairs)

    async def stale(self, silent_s: float) -> AsyncIterator[Stale]:
        """Members without a sign of life for so many seconds; those without any stamp get one."""
        cursor = -1
        while cursor:
            cursor, members = await self._link.ask(
                "SSCAN", self._keys.processing, max(cursor, 0), "COUNT", _BATCH
            )
            if members:
                for found in await self._run(scripts.STALE, int(silent_s * 1000), *members):
                    yield Stale(Take(found[0], found[2].decode(), int(found[3])), found[1])

    async def give_back(self, stale: Stale) -> bool:
        """To the end of the list. False = somebody else was faster."""
        return bool(await self._run(scripts.RETURN, stale.take.raw, stale.stamp))

    async def release(self, take: Take) -> bool:
        """To the end of the list, as if it had not been taken: what failed was not its fault."""
        return bool(await self._run(scripts.RETURN, take.raw, "", take.token, take.takes))

    async def end(self, take: Take, ending: Ending) -> bool:
        """Clean up, and say what became of it. False = the backend pushed it again since; nothing is said."""
        settings = self._settings
        said = (settings.publish_channel, ending.message, int(ending.dead), settings.stream_length)
        return bool(await self._run(scripts.END, take.raw, take.token, *said))

    async def current(self, document_id: str) -> str:
        """The token of the id's last push, until that has ended; empty = it has, or was not taken by us."""
        value = await self._link.ask("HGET", self._keys.pushes, document_id)
        return str(value.rpartition(b"|")[0].decode()) if value else ""

    async def requeue(self, raw: bytes) -> bool:
        """Push the id anew, with all its retries. False = it is in hand, and nothing was done."""
        return bool(await self._run(scripts.REQUEUE, raw))

    async def dead(self) -> list[bytes]:
        """Ids that were given up, oldest first."""
        return list(await self._link.ask("LRANGE", self._keys.dead, 0, -1))

    async def counts(self) -> dict[str, int]:
        """How many ids there are: in the `list`, `processing`, and `dead`."""
        found = await self._run(scripts.COUNT)
        return dict(zip(("list", "processing", "dead"), map(int, found), strict=True))

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    async def _run(self, script: str, *arguments: str | bytes | int) -> Any:  # noqa: ANN401 - its answer
        keys = self._keys.all
        return await self._link.ask("EVAL", script, len(keys), *keys, *arguments)
