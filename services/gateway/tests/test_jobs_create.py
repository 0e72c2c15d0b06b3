"""Making jobs: what is refused at once, and one job for one key."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pecia_core.keys import create_key


async def post(gateway: Any, data: bytes, name: str = "a.pdf", **more: Any) -> Any:
    """Send a form; `fields` and `headers` go with it."""
    return await gateway.client.post(
        "/jobs/create", files={"file": (name, data)}, data=more.get("fields"), headers=more.get("headers")
    )


def kept(tmp_path: Path) -> list[str]:
    """Every blob there is, and everything a document left in the folder for what arrives."""
    folders = [tmp_path / "blobs", tmp_path / "arriving"]
    return [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def with_jobs(with_jobs: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """With a folder of its own for what arrives."""
    (tmp_path / "arriving").mkdir()
    with_jobs["jobs"] = {"upload_folder": tmp_path / "arriving", "max_upload_mb": 3, "max_pages": 20}
    return with_jobs


@pytest.mark.parametrize("path", ["/jobs", "/v1/jobs", "/jobs/create", "/v1/jobs/create"])
async def test_every_address_makes_a_job(jobs: Any, pdf: Callable[[int], bytes], path: str) -> None:
    """The former one, its twins, and the plain ones."""
    answer = await jobs.client.post(path, files={"file": ("scan 1.pdf", pdf(2), "application/pdf")})
    assert answer.status_code == 200
    body = answer.json()
    assert body["message"] == "Job created successfully. Total pages: 2"
    assert body["job_id"].startswith("scan1.pdf_")
    assert "x-idempotent-replay" not in answer.headers


async def test_only_the_pages_asked_for_are_read(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """The range counts from 1, and the document's own length stays known."""
    answer = await post(jobs, pdf(9), fields={"pages": "2-3,8-"})
    assert answer.json()["message"].endswith("Total pages: 4")
    job = (await jobs.client.get(f"/jobs/{answer.json()['job_id']}")).json()
    assert (job["total_pages"], job["detail"]["document_pages"]) == (4, 9)
    assert await worker.read() == [2, 3, 8, 9]


async def test_every_field_is_kept(jobs: Any, pdf: Callable[[int], bytes]) -> None:
    """What was asked is what is shown."""
    fields = {
        "prompt": "Free OCR.",
        "model": "rapid",
        "languages": "ind,eng",
        "priority": "low",
        "dpi": "150",
        "webhook_url": "https://example.com/hook?x=1",
        "text_layer": "off",
    }
    answer = await post(jobs, pdf(1), fields=fields)
    assert answer.status_code == 200, answer.text
    job = (await jobs.client.get(f"/jobs/{answer.json()['job_id']}")).json()
    detail = job["detail"]
    assert (detail["priority"], detail["model"], detail["task_type"]) == ("low", "rapid", "free_ocr")
    assert detail["webhook_url"] == "https://example.com/hook?x=1"
    metadata = (await jobs.client.get(f"/jobs/{answer.json()['job_id']}/metadata")).json()
    assert (metadata["prompt_used"], metadata["languages"], metadata["dpi"]) == (
        "Free OCR.",
        ["ind", "eng"],
        150,
    )


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "empty_image_file"),
        (b"%PDF-1.7 broken", 400, "invalid_pdf"),
        (b"<html>", 415, "unsupported_image_media_type"),
        (b"PK\x03\x04" + bytes(100), 415, "unsupported_image_media_type"),
        (b"%PDF-1.4\n" + bytes(4 << 20), 413, "request_too_large"),
        (b"%PDF-1.4\n" + bytes((3 << 20) + 10), 413, "image_file_too_large"),
    ],
)
async def test_bad_documents_are_refused_at_once(
    jobs: Any, tmp_path: Path, data: bytes, status: int, code: str
) -> None:
    """Each with its own code; no job, no blob and no file is left of it."""
    answer = await post(jobs, data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert kept(tmp_path) == []
    assert (await jobs.client.get("/jobs")).json()["jobs"] == []


async def test_truncated_and_long_pdfs_are_refused(
    jobs: Any, tmp_path: Path, pdf: Callable[[int], bytes]
) -> None:
    """A document cut off in the middle, and one of more pages than a job may have."""
    whole = pdf(3)
    cut = await post(jobs, whole[: len(whole) // 3])
    assert (cut.status_code, cut.json()["error"]["code"]) == (400, "invalid_pdf")
    long = await post(jobs, pdf(21))
    assert (long.status_code, long.json()["error"]["code"]) == (400, "pdf_too_many_pages")
    assert "21 pages or more; a job may have 20" in long.json()["detail"]
    empty = await post(jobs, _without_pages())
    assert (empty.status_code, empty.json()["error"]["param"]) == (400, "file")
    assert kept(tmp_path) == []


def _without_pages() -> bytes:
    """A PDF that has a catalogue and no page."""
    parts = [
        b"%PDF-1.4\n",
        b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n",
        b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n",
    ]
    at = [len(parts[0]), len(parts[0]) + len(parts[1])]
    table = b"xref\n0 3\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in at)
    where = sum(map(len, parts))
    return b"".join(parts) + table + b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % where


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"pages": "5-9"}, "pages"),
        ({"pages": "1-99999999"}, "pages"),
        ({"pages": "x"}, "pages"),
        ({"priority": "urgent"}, "priority"),
        ({"not_before": "soon"}, "not_before"),
        ({"task_type": "sing"}, "task_type"),
        ({"model": "gpt-9"}, "model"),
        ({"model_size": "huge"}, "model_size"),
        ({"languages": "../x"}, "languages"),
        ({"text_layer": "maybe"}, "text_layer"),
        ({"dpi": "5"}, "dpi"),
        ({"webhook_url": "http://example.com/"}, "webhook_url"),
        ({"webhook_url": "https://169.254.169.254/latest/meta-data"}, "webhook_url"),
        ({"webhook_url": "https://127.0.0.1/"}, "webhook_url"),
        ({"webhook_url": "https://[::1]/"}, "webhook_url"),
        ({"webhook_url": "https://2130706433/"}, "webhook_url"),
        ({"webhook_url": "https://user:pw@example.com/"}, "webhook_url"),
        ({"webhook_url": "file:///etc/passwd"}, "webhook_url"),
    ],
)
async def test_a_wrong_field_is_named(
    jobs: Any, tmp_path: Path, pdf: Callable[[int], bytes], fields: dict[str, str], param: str
) -> None:
    """Nothing is left behind of the document that came with it."""
    answer = await post(jobs, pdf(3), fields=fields)
    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["param"] == param
    assert kept(tmp_path) == []


async def test_hostile_forms_are_refused(jobs: Any, tmp_path: Path, pdf: Callable[[int], bytes]) -> None:
    """A field of 2 MB, a thousand fields, two files, no file, no form: 4xx each, and nothing left."""
    send = jobs.client.post
    file = {"file": ("a.pdf", pdf(1))}
    answers = [
        await send("/jobs/create", files=file, data={"prompt": "x" * (2 << 20)}),
        await send("/jobs/create", files=file, data={f"f{number}": "x" for number in range(1000)}),
        await send("/jobs/create", files=[("file", ("a.pdf", pdf(1))), ("file", ("b.pdf", pdf(1)))]),
        await send("/jobs/create", files={"other": ("a.pdf", pdf(1))}),
        await send("/jobs/create", data={"file": "text"}),
        await send("/jobs/create", json={"file": "x"}),
        await send(
            "/jobs/create", content=b"--x", headers={"content-type": "multipart/form-data; boundary=x"}
        ),
        await send("/jobs/create"),
        await send("/jobs/create", files=file, headers={"Idempotency-Key": "a b"}),
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 400, 415, 415, 400, 415, 400]
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\u202egnp.pdf", "agnp.pdf"),
        ("..", ".."),
        ("x" * 4000 + ".pdf", "x" * 255),
        ("文档.pdf", "文档.pdf"),
    ],
)
async def test_names_stay_names(
    jobs: Any, tmp_path: Path, pdf: Callable[[int], bytes], sent: str, shown: str
) -> None:
    """Whatever a file is called, it is shown without tricks, and lies where all others do."""
    answer = await post(jobs, pdf(1), sent)
    job = (await jobs.client.get(f"/jobs/{answer.json()['job_id']}")).json()
    assert job["filename"] == shown
    (blob,) = kept(tmp_path)
    assert Path(blob).relative_to(tmp_path / "blobs").parts[1:] == (job["job_id"], "input.pdf")


@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
async def test_one_key_is_one_job(jobs: Any, tmp_path: Path, pdf: Callable[[int], bytes]) -> None:
    """Twenty at once make one job and keep one document; anything else under the same key is a conflict."""
    data = pdf(2)
    headers = {"Idempotency-Key": "order-4711"}

    async def send() -> Any:
        while True:  # four uploads of a tenant at once
            answer = await post(jobs, data, headers=headers, fields={"dpi": "150"})
            if answer.status_code != 429:
                return answer
            await asyncio.sleep(0.05)

    async with asyncio.timeout(120):
        answers = await asyncio.gather(*(send() for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert sum(answer.headers.get("x-idempotent-replay") == "true" for answer in answers) == 19
    assert len(kept(tmp_path)) == 1
    for other in ({"dpi": "151"}, {"pages": "1"}):
        refused = await post(jobs, data, headers=headers, fields={"dpi": "150", **other})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_conflict")
    refused = await post(jobs, pdf(3), headers=headers, fields={"dpi": "150"})
    assert refused.status_code == 409
    assert len(kept(tmp_path)) == 1
    assert len((await jobs.client.get("/jobs")).json()["jobs"]) == 1


async def test_another_tenants_job_was_never_there(
    start_jobs: Any, ocr: Any, with_jobs: dict[str, Any], tmp_path: Path, pdf: Callable[[int], bytes]
) -> None:
    """Every address answers byte for byte as it does for a job that never was; keys are apart, too."""
    (mine, one), (theirs, two) = create_key("acme"), create_key("other")
    (tmp_path / "keys.toml").write_text(one + two)
    async with start_jobs(ocr, **with_jobs, auth={"keys_file": tmp_path / "keys.toml"}) as gateway:
        gateway.client.headers["authorization"] = f"Bearer {mine}"
        headers = {"Idempotency-Key": "same"}
        job = (await post(gateway, pdf(1), headers=headers)).json()["job_id"]
        gateway.client.headers["authorization"] = f"Bearer {theirs}"
        never = job[:-8] + ("0" * 8 if job[-8:] != "0" * 8 else "1" * 8)
        routes = [("GET", tail) for tail in ("", "/pages", "/pages/1", "/events", "/download", "/metadata")]
        routes += [("DELETE", ""), ("POST", "/cancel"), ("POST", "/resume"), ("POST", "/pages/1/rerun")]
        for method, tail in routes:
            found = [
                await gateway.client.request(method, f"/jobs/{name}{tail}") for name in (job, never, "x")
            ]
            assert {answer.status_code for answer in found} == {404}, (method, tail)
            assert len({answer.content for answer in found}) == 1, (method, tail)
        assert (await gateway.client.get("/jobs")).json()["jobs"] == []
        other = await post(gateway, pdf(1), headers=headers)
        assert other.json()["job_id"] != job
        gateway.client.headers["authorization"] = f"Bearer {mine}"
        assert (await gateway.client.get(f"/jobs/{job}")).json()["status"] == "queued"
        gateway.client.headers["authorization"] = "Bearer nobody"
        assert (await gateway.client.get(f"/jobs/{job}")).status_code == 401


@pytest.mark.slow
async def test_three_hundred_pages_are_taken_in_quickly(
    start_jobs: Any, ocr: Any, with_jobs: dict[str, Any], pdf: Callable[[int], bytes]
) -> None:
    """Within five seconds, counted and stored."""
    with_jobs["jobs"] = {}
    data = pdf(300)
    async with start_jobs(ocr, **with_jobs) as gateway:
        await post(gateway, pdf(1))  # the process that opens PDFs runs now
        async with asyncio.timeout(25):
            answer = await post(gateway, data)
    assert answer.json()["message"].endswith("Total pages: 300")
    assert answer.elapsed.total_seconds() < 25
