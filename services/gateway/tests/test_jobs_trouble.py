"""Jobs when something they stand on is away, full, or switched off."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pecia_jobs.testing import PostgresServer


async def post(gateway: Any, data: bytes) -> httpx.Response:
    """Send a document."""
    answer: httpx.Response = await gateway.client.post("/v1/jobs", files={"file": ("a.pdf", data)})
    return answer


def refused(answer: httpx.Response, code: str, status: int = 503) -> None:
    """Told to come back, in the house's words."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["x-should-retry"] == "true"


async def test_switched_off_they_are_not_there(gateway: Any, pdf: Callable[[int], bytes]) -> None:
    """404 with a reason; everything else works, and no database is opened."""
    for answer in (
        await post(gateway, pdf(1)),
        await gateway.client.get("/jobs"),
        await gateway.client.get("/v1/jobs/a.pdf_20251121_120000_0123abcd/events"),
        await gateway.client.post("/ocr/pdf", files={"file": ("a.pdf", pdf(1))}),
    ):
        assert answer.status_code == 404
        assert "switched them off" in answer.json()["detail"]
    health = (await gateway.client.get("/health")).json()
    assert (health["status"], health["active_jobs"], health["queued_jobs"]) == ("healthy", 0, 0)


async def test_the_gateway_starts_before_its_database(
    ocr: Any, start: Any, server: PostgresServer, tmp_path: Path, png: bytes
) -> None:
    """Jobs are told to wait, pages are read as ever; when the database comes, it is prepared and used."""
    url = await server.new_database()
    server.stop()
    try:
        changes = {"jobs": {}, "database": {"url": url}, "blobs": {"url": str(tmp_path / "blobs")}}
        async with start(ocr, **changes) as gateway:
            refused(await post(gateway, png), "store_unavailable")
            refused(await gateway.client.get("/jobs"), "store_unavailable")
            read = await gateway.client.post("/v1/ocr", files={"file": ("a.png", png)})
            assert read.status_code == 200
            assert (await gateway.client.get("/health")).json()["status"] == "healthy"
            assert not list((tmp_path).rglob("input.*"))
            server.start()
            async with asyncio.timeout(60):
                while (await post(gateway, png)).status_code != 200:
                    await asyncio.sleep(0.2)
    finally:
        server.start()


async def test_a_database_that_goes_away_comes_back(
    ocr: Any, start_jobs: Any, server: PostgresServer, tmp_path: Path, png: bytes
) -> None:
    """Meanwhile every address of jobs says so within seconds, and everything else works."""
    url = await server.new_database()
    changes = {"jobs": {}, "database": {"url": url}, "blobs": {"url": str(tmp_path / "blobs")}}
    async with start_jobs(ocr, **changes) as gateway:
        job = (await post(gateway, png)).json()["job_id"]
        server.kill()
        try:
            async with asyncio.timeout(120):
                for path in ("", f"/{job}", f"/{job}/pages", f"/{job}/download", f"/{job}/events"):
                    refused(await gateway.client.get(f"/v1/jobs{path}"), "store_unavailable")
                refused(await gateway.client.delete(f"/v1/jobs/{job}"), "store_unavailable")
                read = await gateway.client.post("/v1/ocr", files={"file": ("a.png", png)})
                assert read.status_code == 200
                began = asyncio.get_running_loop().time()
                assert (await gateway.client.get("/health")).status_code == 200
                assert asyncio.get_running_loop().time() - began < 10
        finally:
            server.start()
        async with asyncio.timeout(60):
            while (await gateway.client.get(f"/v1/jobs/{job}")).status_code != 200:
                await asyncio.sleep(0.2)


async def test_a_stream_outlives_an_outage(
    ocr: Any, start_jobs: Any, server: PostgresServer, tmp_path: Path, pdf: Any
) -> None:
    """Whoever follows a job hears of its end although the database was away meanwhile."""
    url = await server.new_database()
    changes = {"jobs": {}, "database": {"url": url}, "blobs": {"url": str(tmp_path / "blobs")}}
    async with start_jobs(ocr, **changes) as gateway, asyncio.timeout(120):
        job = (await post(gateway, pdf(1))).json()["job_id"]
        async with gateway.client.stream("GET", f"/v1/jobs/{job}/events", timeout=100) as response:
            lines = response.aiter_lines()
            assert await anext(lines)
            server.kill()
            await asyncio.sleep(1)
            server.start()
            while (await gateway.client.post(f"/v1/jobs/{job}/cancel")).status_code != 200:
                await asyncio.sleep(0.2)
            told = [line async for line in lines]
        assert any('"status":"cancelled"' in line for line in told)


async def test_documents_nobody_can_keep_make_no_job(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes], tmp_path: Path
) -> None:
    """Without the store of blobs nothing is made; results that cannot be fetched are no empty documents."""
    job = (await post(jobs, pdf(2))).json()["job_id"]
    await worker.finish()
    (tmp_path / "blobs").rename(tmp_path / "away")
    refused(await post(jobs, pdf(1)), "store_unavailable")
    refused(await jobs.client.get(f"/jobs/{job}/download"), "store_unavailable")
    refused(await jobs.client.get(f"/jobs/{job}/pages/1"), "store_unavailable")
    assert len((await jobs.client.get("/jobs")).json()["jobs"]) == 1
    (tmp_path / "away").rename(tmp_path / "blobs")
    assert (await jobs.client.get(f"/jobs/{job}/download")).status_code == 200
    assert (await post(jobs, pdf(1))).status_code == 200


async def test_a_lost_document_is_put_together_again(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes], tmp_path: Path
) -> None:
    """The pages are the truth; the whole is made of them."""
    job = (await post(jobs, pdf(2))).json()["job_id"]
    await worker.finish()
    whole = (await jobs.client.get(f"/jobs/{job}/download")).text
    (found,) = (tmp_path / "blobs").glob(f"*/{job}/result.md")
    found.unlink()
    assert (await jobs.client.get(f"/jobs/{job}/download")).text == whole


async def test_no_folder_for_what_arrives_is_said(
    ocr: Any, start_jobs: Any, with_jobs: dict[str, Any], pdf: Any, tmp_path: Path
) -> None:
    """A full or missing disk is the operator's to mend; the caller may come back."""
    with_jobs["jobs"] = {"upload_folder": tmp_path / "absent"}
    async with start_jobs(ocr, **with_jobs) as gateway:
        refused(await post(gateway, pdf(1)), "store_unavailable")


async def test_a_folder_that_cannot_be_made_stops_nothing_else(
    ocr: Any, start: Any, tmp_path: Path, png: bytes
) -> None:
    """A machine whose home cannot be written reads pages all the same."""
    (tmp_path / "file").write_text("")
    changes = {"jobs": {}, "database": {"url": f"sqlite:///{tmp_path / 'file' / 'jobs.sqlite3'}"}}
    async with start(ocr, **changes) as gateway:
        refused(await gateway.client.get("/v1/jobs"), "store_unavailable")
        read = await gateway.client.post("/v1/ocr", files={"file": ("a.png", png)})
        assert read.status_code == 200


async def test_jobs_are_bounded(ocr: Any, start_jobs: Any, with_jobs: dict[str, Any], pdf: Any) -> None:
    """As many as may be, all alive: the next is told to come back; one that has ended makes room."""
    with_jobs["jobs"] = {"max_count": 2}
    async with start_jobs(ocr, **with_jobs) as gateway:
        first = (await post(gateway, pdf(1))).json()["job_id"]
        await post(gateway, pdf(1))
        refused(await post(gateway, pdf(1)), "job_limit_reached", 429)
        await gateway.client.post(f"/jobs/{first}/cancel")
        assert (await post(gateway, pdf(1))).status_code == 200


async def test_an_upload_that_breaks_off_leaves_nothing(
    ocr: Any, start_jobs: Any, with_jobs: dict[str, Any], tmp_path: Path
) -> None:
    """Its place is free again, and no file is left of it."""
    (tmp_path / "arriving").mkdir()
    with_jobs["jobs"] = {"upload_folder": tmp_path / "arriving", "tenant_uploads": 1}
    async with start_jobs(ocr, **with_jobs) as gateway:

        async def body() -> Any:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.4\n'
            for _ in range(40):
                yield bytes(65536)
            await asyncio.sleep(30)

        headers = {"content-type": "multipart/form-data; boundary=x"}
        sending = asyncio.create_task(gateway.client.post("/v1/jobs", content=body(), headers=headers))
        async with asyncio.timeout(30):
            while not list((tmp_path / "arriving").iterdir()):
                await asyncio.sleep(0.02)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            while list((tmp_path / "arriving").iterdir()):
                await asyncio.sleep(0.05)
    assert not (tmp_path / "blobs").exists()


@pytest.mark.parametrize("path", ["/ocr/pdf", "/v1/ocr/pdf"])
async def test_the_former_address_waits(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes], path: str
) -> None:
    """The whole text at once, and the word that there is a better way."""
    asking = asyncio.create_task(jobs.client.post(path, files={"file": ("a.pdf", pdf(2))}))
    async with asyncio.timeout(60):
        while not asking.done():
            await worker.finish()
            await asyncio.sleep(0.1)
    answer = await asking
    assert answer.status_code == 200, answer.text
    assert "text of page 2" in answer.json()["results"]
    assert answer.headers["deprecation"].startswith("@")
    assert answer.headers["link"] == '</v1/jobs>; rel="successor-version"'


async def test_who_hangs_up_on_it_cancels_the_job(jobs: Any, pdf: Callable[[int], bytes]) -> None:
    """Nobody would ever fetch what it read."""
    asking = asyncio.create_task(jobs.client.post("/ocr/pdf", files={"file": ("a.pdf", pdf(2))}))
    async with asyncio.timeout(60):
        while not (found := (await jobs.client.get("/jobs")).json()["jobs"]):
            await asyncio.sleep(0.05)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        while (await jobs.client.get(f"/jobs/{found[0]['job_id']}")).json()["status"] != "cancelled":
            await asyncio.sleep(0.05)


async def test_it_does_not_wait_for_ever(
    ocr: Any, start_jobs: Any, with_jobs: dict[str, Any], pdf: Any
) -> None:
    """504 names the job, which goes on."""
    with_jobs["jobs"] = {"wait_s": 0.5}
    async with start_jobs(ocr, **with_jobs) as gateway:
        answer = await gateway.client.post("/ocr/pdf", files={"file": ("a.pdf", pdf(1))})
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "inference_timeout")
        (job,) = (await gateway.client.get("/jobs")).json()["jobs"]
        assert job["job_id"] in answer.json()["detail"]
        assert job["status"] == "queued"
