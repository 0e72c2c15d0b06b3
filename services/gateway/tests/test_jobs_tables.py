"""The tables of a job's document as CSV: data that no program takes for anything else."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

TABLE = (
    "<table><tr><td>item</td><td>price</td></tr>"
    "<tr><td>=HYPERLINK(&quot;https://hostile.test&quot;)</td><td>-5</td></tr></table>"
)
ROWS = [["item", "price"], ['\'=HYPERLINK("https://hostile.test")', "-5"]]


async def made(jobs: Any, data: bytes, name: str = "a.pdf") -> str:
    """The id of a new job."""
    answer = await jobs.client.post("/v1/jobs", files={"file": (name, data)})
    return str(answer.json()["job_id"])


async def tables(jobs: Any, job: str, **asked: Any) -> Any:
    """The download, as an answer."""
    return await jobs.client.get(f"/v1/jobs/{job}/download", params={"format": "csv", **asked})


def rows(answer: Any) -> list[list[str]]:
    """What a program for tables reads."""
    return list(csv.reader(io.StringIO(answer.text)))


@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
async def test_tables_come_as_csv_without_formulas(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes]
) -> None:
    """Page after page, an empty line between; a file to be saved, never to be run."""
    worker.content = f"Before.\n{TABLE}\nAfter."
    job = await made(jobs, pdf(2), "Überweisung.pdf")
    await worker.finish()
    answer = await tables(jobs, job)
    assert answer.status_code == 200
    assert rows(answer) == [*ROWS, [], *ROWS]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="result.csv"')
    assert "filename*=UTF-8''%C3%9Cberweisung.csv" in disposition
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    head = await jobs.client.head(f"/v1/jobs/{job}/download", params={"format": "csv"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == answer.headers["content-type"]


async def test_a_document_without_tables_has_none(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes]
) -> None:
    """Its text is in the other formats."""
    job = await made(jobs, pdf(1))
    await worker.finish()
    answer = await tables(jobs, job)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_what_is_missing_is_said_in_a_row(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """While the job runs, and where a page could not be read."""
    worker.content = TABLE
    job = await made(jobs, pdf(3))
    await worker.read(1)
    refused = await tables(jobs, job)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_not_completed")
    sofar = rows(await tables(jobs, job, partial=True))
    assert sofar[:2] == ROWS
    assert sofar[3:] == [["Page 2 has not been read yet."], [], ["Page 3 has not been read yet."]]
    await worker.finish(failing=(2,))
    whole = rows(await tables(jobs, job))
    assert ["Page 2 could not be read: It cannot be drawn. (invalid_image)"] in whole
    assert whole.count(ROWS[1]) == 2
