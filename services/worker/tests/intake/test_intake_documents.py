"""The backend's table, as the documentation has it and as others have theirs."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pecia_core.errors import InvalidRequest
from pecia_jobs.database import Database
from pecia_worker.intake.documents import Documents
from pecia_worker.intake.result import DocumentResult, refused
from pecia_worker.intake_settings import DocumentsSettings
from pydantic import SecretStr

Open = Callable[..., Documents]


@pytest.fixture
async def opened(table: Any) -> AsyncIterator[Open]:
    """The worker's view of the table, by these settings."""
    begun = []

    def begin(**settings: Any) -> Documents:
        named = DocumentsSettings(url=SecretStr(table.url), **settings)
        begun.append(Documents(Database(named.url.get_secret_value()), named))
        return begun[-1]

    yield begin
    for documents in begun:
        await documents.close()


def read(document_id: str, **more: Any) -> DocumentResult:
    """A document that was read."""
    usual: dict[str, Any] = {
        "text": "halo",
        "parsed": {"jobId": "j"},
        "score": 92.6,
        "outcome": "auto_approved",
    }
    return DocumentResult(document_id, success=True, ended=1763726400.0, **(usual | more))


async def test_a_result_is_written_once(opened: Open, table: Any) -> None:
    """Every column gets its own kind of value; a second result, good or bad, changes nothing."""
    documents = opened()
    document_id = await table.add("a.png")
    assert (await documents.find(document_id)) is not None
    await documents.begin(document_id)
    assert (await table.row(document_id))["status"] == "processing"
    assert await documents.end(read(document_id))
    row = await table.row(document_id)
    assert {name: row[name] for name in ("status", "ocr_text", "ai_score", "ai_decision")} == {
        "status": "completed",
        "ocr_text": "halo",
        "ai_score": 93,
        "ai_decision": "auto_approve",
    }
    assert row["verification_status"] == "auto_approved"
    assert json.loads(row["result_json"]) == {"jobId": "j"}
    assert row["processed_at"] == datetime.fromtimestamp(1763726400, UTC).replace(tzinfo=None)
    assert not await documents.end(read(document_id, text="other"))
    assert not await documents.end(refused(document_id, "no"))
    await documents.begin(document_id)
    assert await table.changes(document_id) == ["processing", "completed"]


async def test_pages_that_were_read_again_count(opened: Open, table: Any) -> None:
    """Somebody had the failed pages of a document read again: the row has the whole text then."""
    documents = opened()
    document_id = await table.add("a.png")
    await documents.end(read(document_id, text="one page", outcome="pending_manual_review"))
    assert await documents.end(read(document_id, text="both pages"), again=True)
    row = await table.row(document_id)
    assert (row["ocr_text"], row["verification_status"]) == ("both pages", "auto_approved")


async def test_a_failure_is_written_once_and_may_be_mended(opened: Open, table: Any) -> None:
    """It leaves what it does not know as it was; a later success stands."""
    documents = opened()
    document_id = await table.add("a.png")
    assert await documents.end(refused(document_id, "broken"))
    assert not await documents.end(refused(document_id, "broken again"))
    row = await table.row(document_id)
    assert (row["status"], row["ocr_text"], row["verification_status"]) == ("failed", None, "pending")
    assert json.loads(row["result_json"]) == {"error": "broken"}
    await documents.begin(document_id)
    assert await documents.end(read(document_id))
    assert await table.changes(document_id) == ["failed", "processing", "completed"]


async def test_a_row_is_found(opened: Open, table: Any) -> None:
    """Where its file is, of which kind it is, and whether it was read; no row is no document."""
    documents = opened()
    document = await documents.find(await table.add("a.png", type="NPWP", status="completed"))
    assert document is not None
    assert (document.file, document.type, document.completed) == ("a.png", "NPWP", True)
    assert await documents.find("00000000-0000-4000-8000-000000000000") is None
    assert not await documents.end(read("00000000-0000-4000-8000-000000000000"))


@pytest.mark.parametrize("document_id", ["", "7", "a\x00b", "x" * 300, "'; DROP TABLE documents; --"])
async def test_ids_no_row_can_have(opened: Open, document_id: str) -> None:
    """They are refused before the database is asked."""
    with pytest.raises(InvalidRequest, match="not the id of a document"):
        await opened().find(document_id)


async def test_another_table_in_other_words(opened: Open, table: Any) -> None:
    """Names with capitals, numbers as ids, text where JSON could be, times with a zone, columns left out."""
    await table.execute("CREATE SCHEMA kyc")
    await table.execute(
        'CREATE TABLE kyc."Scans" ("scanId" int PRIMARY KEY, key text, state text, "ocrText" text, '
        '"parsedResult" text, "aiScore" double precision, "processedAt" timestamptz)'
    )
    await table.execute("""INSERT INTO kyc."Scans" VALUES (7, 'a.png', NULL)""")
    documents = opened(
        table="kyc.Scans",
        id="scanId",
        file="key",
        type="",
        status="state",
        ocr_text="ocrText",
        result="parsedResult",
        score="aiScore",
        decision="",
        verification="",
        processed_at="processedAt",
        status_completed="gelesen",
    )
    await documents.check()
    document = await documents.find("7")
    assert document is not None
    assert (document.file, document.type) == ("a.png", "")
    assert await documents.end(read("7"))
    [row] = await table.rows('SELECT * FROM kyc."Scans"')
    assert row == {
        "scanId": 7,
        "key": "a.png",
        "state": "gelesen",
        "ocrText": "halo",
        "parsedResult": '{"jobId": "j"}',
        "aiScore": 92.6,
        "processedAt": datetime.fromtimestamp(1763726400, UTC),
    }
    for wrong in ("seven", "7.0", str(2**31), "\u0667"):
        with pytest.raises(InvalidRequest):
            await documents.find(wrong)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"table": "papers"}, "no table 'papers'"),
        ({"file": "path"}, r"no column 'path' \(PECIA_DOCUMENTS__FILE\)"),
        ({"score": "points"}, r"no column 'points' \(PECIA_DOCUMENTS__SCORE\)"),
        ({"status_failed": "kaput"}, "'status' cannot be kaput"),
    ],
)
async def test_a_table_of_another_form_is_named(opened: Open, settings: dict[str, str], said: str) -> None:
    """The worker says what it misses, and with which setting to name it."""
    with pytest.raises(InvalidRequest, match=said):
        await opened(**settings).check()


async def test_people_decide_once(opened: Open, table: Any) -> None:
    """Only a document that waits for them; who decides again changes nothing."""
    documents = opened()
    document_id = await table.add("a.png")
    assert not await documents.decide(document_id, approved=True)
    await documents.end(read(document_id, outcome="pending_manual_review"))
    assert await documents.decide(document_id, approved=False)
    assert not await documents.decide(document_id, approved=True)
    assert (await table.row(document_id))["verification_status"] == "manually_rejected"
