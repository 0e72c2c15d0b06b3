"""`python -m pecia_worker requeue`: puts ids back into the list, by hand."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from pecia_core.errors import PeciaError

from pecia_worker.intake.link import RedisLink
from pecia_worker.intake.queue import DocumentQueue
from pecia_worker.intake_settings import IntakeGroups


def main(arguments: Sequence[str], settings: IntakeGroups) -> int:
    """Do what the arguments say, on standard output; the exit code is 1 where Redis does not answer."""
    parser = argparse.ArgumentParser(
        prog="python -m pecia_worker requeue",
        description="Put documents back into the queue, with all their retries. Alone, it lists the dead.",
    )
    parser.add_argument("--dead", action="store_true", help="all that were given up")
    parser.add_argument("ids", nargs="*", metavar="ID", help="documents, wherever they are")
    asked = parser.parse_args(arguments)
    try:
        lines = asyncio.run(_run(asked.ids, settings, dead=asked.dead))
    except PeciaError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


async def _run(ids: Sequence[str], settings: IntakeGroups, *, dead: bool) -> list[str]:
    queue = DocumentQueue(RedisLink(settings.redis), settings.intake)
    try:
        await queue.check()
        given_up = await queue.dead()
        if not ids and not dead:
            return [raw.decode(errors="replace") for raw in given_up]
        chosen = [*(given_up if dead else []), *(one.encode() for one in ids)]
        return [await requeue(queue, raw) for raw in dict.fromkeys(chosen)]
    finally:
        await queue.close()


async def requeue(queue: DocumentQueue, raw: bytes) -> str:
    """Put one back; says what was done. One in hand is left alone: who has it, or the reaper, ends it."""
    name = raw.decode(errors="replace")
    if await queue.requeue(raw):
        return f"{name}: back in the queue"
    return f"{name}: left alone, it is being worked on; if its worker is gone, it goes back by itself"
