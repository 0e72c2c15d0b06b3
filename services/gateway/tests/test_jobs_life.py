"""A job from its making to its end, over real sockets, on both databases."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


async def made(gateway: Any, data: bytes, name: str = "document.pdf", **fields: Any) -> str:
    """Make a job; gives its id."""
    answer = await gateway.client.post("/jobs/create", files={"file": (name, data)}, data=fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job_id"])


async def state(gateway: Any, job: str) -> dict[str, Any]:
    """A job as it stands."""
    answer = await gateway.client.get(f"/jobs/{job}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@BOTH
async def test_a_status_has_the_former_systems_shape(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes]
) -> None:
    """While it waits, while it runs and when it has ended."""
    job = await made(jobs, pdf(3))
    waiting = await state(jobs, job)
    assert (waiting["status"], waiting["progress"], waiting["total_pages"]) == ("queued", 0.0, 3)
    assert (waiting["processed_pages"], waiting["started_at"], waiting["error"]) == (0, None, None)
    assert waiting["detail"]["state"] == "queued"
    assert waiting["detail"]["queue_ahead"] == 0
    assert waiting["detail"]["task_type"] == "markdown"

    assert await worker.read(1) == [1]
    running = await state(jobs, job)
    assert (running["status"], running["progress"], running["processed_pages"]) == ("processing", 33.33, 1)
    assert running["pages_per_second"] > 0
    assert running["eta_seconds"] > 0

    await worker.finish()
    ended = await state(jobs, job)
    assert (ended["status"], ended["progress"], ended["processed_pages"]) == ("completed", 100.0, 3)
    assert ended["created_at"] <= ended["started_at"] <= ended["completed_at"]
    assert ended["detail"]["expires_at"] > ended["completed_at"]
    assert ended["eta_seconds"] is None
    metadata = (await jobs.client.get(f"/jobs/{job}/metadata")).json()
    assert (metadata["filename"], metadata["total_pages"], metadata["prompt_used"]) == ("document.pdf", 3, "")
    assert metadata["processed_at"].endswith("+00:00")
    assert metadata["processing_time_seconds"] >= 0


@BOTH
async def test_pages_are_readable_while_others_wait(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes]
) -> None:
    """One by one and as the document so far; what is not there yet is said."""
    job = await made(jobs, pdf(3))
    await worker.read(1)
    page = (await jobs.client.get(f"/jobs/{job}/pages/1")).json()
    assert (page["status"], page["source"], page["markdown"]) == ("done", "ocr", "text of page 1")
    assert page["page"]["blocks"][0]["lines"][0]["text"] == "text of page 1"
    refused = await jobs.client.get(f"/jobs/{job}/pages/2")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_page_not_ready")
    assert refused.headers["x-should-retry"] == "false"
    refused = await jobs.client.get(f"/jobs/{job}/download")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_not_completed")
    partial = await jobs.client.get(f"/jobs/{job}/download", params={"partial": True})
    assert "text of page 1" in partial.text
    assert "Page 2 has not been read yet" in partial.text

    await worker.finish()
    listed = (await jobs.client.get(f"/jobs/{job}/pages")).json()["pages"]
    assert [(one["number"], one["status"]) for one in listed] == [(1, "done"), (2, "done"), (3, "done")]


@BOTH
async def test_the_document_comes_in_every_format(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes]
) -> None:
    """As a file to be saved, never to be run, whole and with its length."""
    job = await made(jobs, pdf(2), "Überweisung März.pdf")
    await worker.finish()
    for form, ending, kind in (("markdown", "md", "text/markdown"), ("text", "txt", "text/plain")):
        answer = await jobs.client.get(f"/v1/jobs/{job}/download", params={"format": form})
        assert answer.headers["content-type"].startswith(kind)
        assert "text of page 1" in answer.text
        assert "text of page 2" in answer.text
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith(f'attachment; filename="result.{ending}"')
        assert f"filename*=UTF-8''%C3%9Cberweisung%20M%C3%A4rz.{ending}" in disposition
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert int(answer.headers["content-length"]) == len(answer.content)
    document = (await jobs.client.get(f"/v1/jobs/{job}/download", params={"format": "json"})).json()
    assert [page["number"] for page in document["pages"]] == [1, 2]
    refused = await jobs.client.get(f"/v1/jobs/{job}/download", params={"format": "docx"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "format")


async def test_failed_pages_are_named_everywhere(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """Completed but for page 2: in the status, the pages, and at its place in the document."""
    job = await made(jobs, pdf(3))
    await worker.finish(failing=(2,))
    ended = await state(jobs, job)
    assert (ended["status"], ended["detail"]["state"], ended["failed_pages"]) == ("completed", "partial", [2])
    page = (await jobs.client.get(f"/jobs/{job}/pages")).json()["pages"][1]
    assert page["error"] == {"code": "invalid_image", "message": "It cannot be drawn."}
    assert "Page 2 could not be read" in (await jobs.client.get(f"/jobs/{job}/download")).text
    (listed,) = (await jobs.client.get("/jobs")).json()["jobs"]
    assert listed["failed_pages"] == [2]

    resumed = await jobs.client.post(f"/jobs/{job}/resume")
    assert resumed.json()["status"] in {"queued", "processing"}
    await worker.finish()
    assert (await state(jobs, job))["detail"]["state"] == "done"
    again = await jobs.client.post(f"/jobs/{job}/resume")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "job_finished")


async def test_a_page_is_read_again(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """One alone; the others keep their results, and pages that are not there are not found."""
    job = await made(jobs, pdf(3))
    await worker.finish()
    answer = await jobs.client.post(f"/v1/jobs/{job}/pages/2/rerun")
    assert answer.json()["processed_pages"] == 2
    assert await worker.read() == [2]
    await worker.finish()
    assert (await state(jobs, job))["status"] == "completed"
    for number in (4, 99999999):
        refused = await jobs.client.post(f"/v1/jobs/{job}/pages/{number}/rerun")
        assert refused.status_code == 404
        assert (await jobs.client.get(f"/v1/jobs/{job}/pages/{number}")).status_code == 404
    for strange in ("0", "-1", "x", "99999999999999999999"):
        assert (await jobs.client.get(f"/v1/jobs/{job}/pages/{strange}")).status_code == 400


async def test_delete_cancels_first_and_forgets_then(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes], tmp_path: Any
) -> None:
    """The former system's answer to the first; after the second nothing is left, on disk neither."""
    job = await made(jobs, pdf(3))
    await worker.read(1)
    answer = await jobs.client.delete(f"/jobs/{job}")
    assert answer.json() == {"success": True, "message": "Job cancelled"}
    cancelled = await state(jobs, job)
    assert (cancelled["status"], cancelled["processed_pages"]) == ("cancelled", 1)
    partial = await jobs.client.get(f"/jobs/{job}/download", params={"partial": "true"})
    assert "text of page 1" in partial.text
    assert "Page 3 was not read: the job was cancelled." in partial.text
    assert list((tmp_path / "blobs").glob(f"*/{job}/*"))
    assert (await jobs.client.delete(f"/jobs/{job}")).json() == {"success": True, "message": "Job deleted"}
    assert (await jobs.client.get(f"/jobs/{job}")).status_code == 404
    assert (await jobs.client.delete(f"/jobs/{job}")).status_code == 404
    assert not list((tmp_path / "blobs").glob(f"*/{job}"))


async def test_cancel_says_how_it_stands(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """A job that has ended stays as it is; a cancelled one can be resumed."""
    job = await made(jobs, pdf(2))
    await worker.read(1)
    assert (await jobs.client.post(f"/v1/jobs/{job}/cancel")).json()["status"] == "cancelled"
    assert await worker.read() == []
    assert (await jobs.client.post(f"/v1/jobs/{job}/resume")).status_code == 200
    await worker.finish()
    assert (await jobs.client.post(f"/v1/jobs/{job}/cancel")).json()["status"] == "completed"


@BOTH
async def test_jobs_are_listed_newest_first(jobs: Any, worker: Any, png: bytes) -> None:
    """In pages that neither miss nor repeat one while others are made, and by status."""
    made_ids = [await made(jobs, png, f"{number}.png") for number in range(5)]
    first = (await jobs.client.get("/jobs", params={"limit": 2})).json()
    made_ids.append(await made(jobs, png, "late.png"))
    second = (await jobs.client.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    third = (await jobs.client.get("/jobs", params={"limit": 2, "cursor": second["next_cursor"]})).json()
    seen = [job["job_id"] for page in (first, second, third) for job in page["jobs"]]
    assert seen == made_ids[4::-1]
    assert third["next_cursor"] is None
    await worker.finish()
    assert (await jobs.client.get("/jobs", params={"status": "queued"})).json()["jobs"] == []
    assert len((await jobs.client.get("/jobs", params={"status": "completed"})).json()["jobs"]) == 6
    for params in (
        {"status": "sleeping"},
        {"limit": 0},
        {"limit": 5000},
        {"cursor": "x"},
        {"cursor": "é" * 600},
    ):
        assert (await jobs.client.get("/jobs", params=params)).status_code == 400


async def test_pictures_and_tiffs_are_documents(jobs: Any, png: bytes, tmp_path: Any) -> None:
    """A picture is one page, a TIFF as many as it has."""
    sheets = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green", "blue")]
    sheets[0].save(tmp_path / "three.tif", save_all=True, append_images=sheets[1:])
    for name, data, pages, kind in (
        ("a.png", png, 1, "image/png"),
        ("three.tif", (tmp_path / "three.tif").read_bytes(), 3, "image/tiff"),
    ):
        found = await state(jobs, await made(jobs, data, name))
        assert (found["total_pages"], found["detail"]["media_type"]) == (pages, kind)


async def test_health_counts_jobs(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """Those that are read now and those that wait."""
    await made(jobs, pdf(2))
    await made(jobs, pdf(2))
    await worker.read(1)
    async with asyncio.timeout(20):
        while True:
            body = (await jobs.client.get("/health")).json()
            if (body["active_jobs"], body["queued_jobs"]) == (1, 1):
                return
            await asyncio.sleep(0.1)
