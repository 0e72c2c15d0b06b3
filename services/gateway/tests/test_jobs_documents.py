"""Documents that need care: locked ones, and ones that are far larger than the memory they may take."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pecia_core.locked_pdf import locked
from pecia_core.sample_pdf import digital_pdf, prose

_MIB = 1 << 20


@pytest.mark.parametrize(
    ("password", "status", "said"),
    [
        (None, 400, "encrypted"),
        ("wrong", 400, "password does not open"),
        ("open sesame", 200, "Total pages: 1"),
    ],
)
async def test_a_locked_document_needs_its_password(
    jobs: Any, tmp_path: Path, password: str | None, status: int, said: str
) -> None:
    """Without it, or with another one, it is refused at once; nothing is left of it, and nothing says it."""
    data = {} if password is None else {"password": password}
    file = {"file": ("a.pdf", locked(digital_pdf(prose()), "open sesame"))}
    answer = await jobs.client.post("/v1/jobs", files=file, data=data)
    assert answer.status_code == status, answer.text
    assert said in answer.text
    if status == 200:
        job = await jobs.client.get(f"/v1/jobs/{answer.json()['job_id']}")
        assert "sesame" not in job.text
    else:
        assert answer.json()["error"]["code"] == "pdf_encrypted"
        assert not list(tmp_path.rglob("input.pdf"))


@pytest.mark.slow
async def test_a_large_document_takes_little_memory(jobs: Any) -> None:
    """Two hundred megabytes arrive, are looked at and refused, while the process grows by a few."""

    async def body() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.4\n'
        for _ in range(200):
            yield bytes(_MIB)
        yield b"\r\n--x--\r\n"

    process = psutil.Process()
    before, most = process.memory_info().rss, 0

    async def watched() -> AsyncIterator[bytes]:
        nonlocal most
        async for piece in body():
            most = max(most, process.memory_info().rss)
            yield piece

    headers = {"content-type": "multipart/form-data; boundary=x"}
    async with httpx.AsyncClient(base_url=jobs.url, timeout=200) as client:
        answer = await client.post("/v1/jobs", content=watched(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_pdf")
    most = max(most, process.memory_info().rss)
    assert most - before < 100 * _MIB
