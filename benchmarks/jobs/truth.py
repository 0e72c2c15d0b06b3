"""Reads what the checker needs from the database and the blobs."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from pecia_core.errors import NotFound
from pecia_jobs.blobs import RESULT_TEXT, Blobs, result_key
from pecia_jobs.database import Database
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.jobs.checker import JobRow, PageRow, Truth

_JOBS = "SELECT id, tenant, state, pages_total, pages_done, pages_failed FROM job"
_PAGES = """SELECT page.job_id, page.number, page.state, coalesce(page.lease_token, '') AS token,
    page.result_key, page_ready.page_id IS NOT NULL AS queued
    FROM page LEFT JOIN page_ready ON page_ready.page_id = page.id
    ORDER BY page.job_id, page.number"""


async def truth(database: Database, blobs: Blobs, only: Collection[str] | None = None) -> Truth:
    """Everything, or of these jobs alone."""

    async def rows(connection: AsyncConnection) -> list[Sequence[Row[Any]]]:
        queries = (_JOBS, _PAGES, "SELECT id, running FROM tenant")
        return [(await connection.execute(text(query))).all() for query in queries]

    jobs, pages, running = await database.reading(rows)
    kept = {row.id for row in jobs if only is None or row.id in only}
    return Truth(
        [await _job(blobs, row) for row in jobs if row.id in kept],
        [await _page(blobs, row) for row in pages if row.job_id in kept],
        {row.id: row.running for row in running},
    )


async def _job(blobs: Blobs, row: Row[Any]) -> JobRow:
    ended = row.state in {"done", "partial"}
    found = await _text(blobs, result_key(row.tenant, row.id, RESULT_TEXT)) if ended else None
    return JobRow(row.id, row.state, row.pages_total, row.pages_done, row.pages_failed, found)


async def _page(blobs: Blobs, row: Row[Any]) -> PageRow:
    done = row.state == "done" and row.number > 0
    found = await _text(blobs, row.result_key) if done else None
    said = json.loads(found)["text"] if found is not None else None
    return PageRow(
        row.job_id, row.number, row.state, row.token, said, bool(row.queued), _writer(row.result_key)
    )


def _writer(key: str) -> str:
    """The token in the name of a page's blob: `.../00001.TOKEN.json`."""
    parts = key.rpartition("/")[2].split(".")
    return parts[1] if len(parts) == 3 else ""


async def _text(blobs: Blobs, key: str) -> str | None:
    try:
        return (await blobs.get(key)).decode()
    except NotFound:
        return None
