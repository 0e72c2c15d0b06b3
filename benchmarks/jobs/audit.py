"""Triggers that write down every committed change of pages, jobs and deliveries; put in from outside.

They run in the transaction that changes the row: what is written down was committed, and nothing that was
committed is missing.
"""

import re

from pecia_jobs.database import Database
from pecia_jobs.rows import AnyRow
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.jobs.history import Event, Kind

_TABLE = {
    True: """CREATE TABLE IF NOT EXISTS audit (n INTEGER PRIMARY KEY AUTOINCREMENT, at DOUBLE, what TEXT,
        job_id TEXT, number INTEGER, was TEXT, becomes TEXT, token TEXT, worker TEXT)""",
    False: """CREATE TABLE IF NOT EXISTS audit (n BIGSERIAL PRIMARY KEY, at DOUBLE PRECISION, what TEXT,
        job_id TEXT, number INTEGER, was TEXT, becomes TEXT, token TEXT, worker TEXT)""",
}
_NOW = {
    True: "(julianday('now') - 2440587.5) * 86400.0",
    False: "extract(epoch FROM clock_timestamp())",
}
_COLUMNS = "INSERT INTO audit (at, what, job_id, number, was, becomes, token, worker) VALUES"
# What is watched, on which change, and what is written down of it.
_WATCHED = (
    (
        "page",
        "UPDATE",
        "OLD.state <> NEW.state OR coalesce(OLD.lease_token, '') <> coalesce(NEW.lease_token, '')",
        "'page', NEW.job_id, NEW.number, OLD.state, NEW.state, coalesce(NEW.lease_token, ''), NEW.worker",
    ),
    ("job", "INSERT", "true", "'job', NEW.id, -1, '', NEW.state, '', ''"),
    ("job", "UPDATE", "OLD.state <> NEW.state", "'job', NEW.id, -1, OLD.state, NEW.state, '', ''"),
    ("outbox", "INSERT", "true", "'outbox', NEW.job_id, -1, '', NEW.kind, NEW.id, ''"),
)
_HELD, _FREE, _ENDED = "leased", {"ready", "waiting"}, {"done", "failed", "cancelled"}
_ENDS = {"done": Kind.RECORDED, "failed": Kind.GIVEN_UP, "cancelled": Kind.CANCELLED}


async def watch(database: Database) -> None:
    """Begin to write down. The tables of jobs have to be there; doing it twice is fine."""

    async def put(connection: AsyncConnection) -> None:
        for statement in _statements(sqlite=database.sqlite):
            await connection.execute(text(re.sub(r"(?<!:):(?=[a-z])", r"\\:", statement)))

    await database.changing(put)


def _statements(*, sqlite: bool) -> list[str]:
    statements = [_TABLE[sqlite]]
    for table, change, when, what in _WATCHED:
        name = f"audit_{table}_{change.lower()}"
        insert = f"{_COLUMNS} ({_NOW[sqlite]}, {what});"
        if sqlite:
            statements.append(
                f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {change} ON {table} "
                f"WHEN {when} BEGIN {insert} END"
            )
        else:
            statements.append(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {insert} RETURN NULL; END $$"
            )
            statements.append(
                f"CREATE OR REPLACE TRIGGER {name} AFTER {change} ON {table} FOR EACH ROW "
                f"WHEN ({when}) EXECUTE FUNCTION {name}()"
            )
    return statements


async def committed(database: Database) -> list[Event]:
    """All that was written down, in the order it was."""

    async def read(connection: AsyncConnection) -> list[Event]:
        rows = await connection.execute(
            text("SELECT at, what, job_id, number, was, becomes, token, worker FROM audit ORDER BY n")
        )
        return [event for row in rows for event in _events(row)]

    return await database.reading(read)


def _events(row: AnyRow) -> list[Event]:
    at, what, job, number, was, becomes, token, worker = row
    if what == "job":
        return [Event(at, Kind.JOB, job, detail=becomes)]
    if what == "outbox":
        return [Event(at, Kind.ANNOUNCED, job, token=token, detail=becomes)]
    kinds = []
    if was in _ENDED and becomes not in _ENDED:
        kinds.append(Kind.REOPENED)
    if was == _HELD and becomes in {*_FREE, _HELD}:
        kinds.append(Kind.FREED)  # straight into other hands: the old ones are empty first
    if becomes == _HELD:
        kinds.append(Kind.CLAIMED)
    if becomes in _ENDS and was != becomes:
        kinds.append(_ENDS[becomes])
    return [Event(at, kind, job, number, token, worker) for kind in kinds]
