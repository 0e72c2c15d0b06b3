"""A worker that is killed after it sent a webhook and before it could say so."""

import asyncio
import sys
from pathlib import Path

from pecia_jobs.database import Database
from pecia_jobs.outbox import Outbox

from .conftest import KEY, Receiver, dispatching, ended, until

_LEASE_S = 2.0


async def test_what_a_killed_worker_sent_is_sent_again(
    database: Database, database_url: str, receiver: Receiver
) -> None:
    """Under the same id, when the lease has ended: at least once, and the receiver can tell."""
    job = await ended(database, 1, f"{receiver.url}/")
    script = Path(__file__).with_name("sending_process.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), database_url, KEY, str(_LEASE_S), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"sent\n"
    finally:
        process.kill()
        await process.wait()
    (record,) = await Outbox(database).deliveries("acme", job.id)
    assert (record.status, record.attempts, len(receiver.got)) == ("pending", 1, 1)
    async with dispatching(Outbox(database, _LEASE_S)):
        record = await until(database, job, "delivered", within_s=30)
    assert record.attempts == 2
    assert [got.headers["webhook-id"] for got in receiver.got] == [record.id] * 2
    assert receiver.got[0].body == receiver.got[1].body
