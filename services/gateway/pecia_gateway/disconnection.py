"""Work for a client lasts no longer than the client: who hangs up frees the engine."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pecia_core.errors import Cancelled
from starlette.types import Receive

_Result = TypeVar("_Result")


async def while_connected(receive: Receive, work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of `work`, which is cancelled when the client goes away.

    The request's body has to be read before: what comes after it is the end of the connection.

    Raises:
        Cancelled: the client went away first.
    """
    working = asyncio.ensure_future(work)
    listening = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        listening.cancel()
        if not working.done():
            working.cancel()
        await asyncio.gather(working, listening, return_exceptions=True)
    if working.cancelled():
        raise Cancelled("The client closed the connection.")
    return working.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
