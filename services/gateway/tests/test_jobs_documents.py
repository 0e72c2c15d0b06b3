"""Documents that need care: locked ones, and ones that are far larger than the memory they may take."""

import hashlib
from collections.abc import AsyncIterator
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_MIB = 1 << 20


def md5(data: bytes) -> bytes:
    """As the PDF standard has it."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def rc4(key: bytes, data: bytes) -> bytes:
    """As the PDF standard has it."""
    state, j = list(range(256)), 0
    for i, byte in zip(range(256), cycle(key), strict=False):
        j = (j + state[i] + byte) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def locked_pdf(password: bytes) -> bytes:
    """One empty page, encrypted by the standard handler, revision 2: 40 bits of RC4."""
    identity, permissions = b"0123456789abcdef", -4
    owner = rc4(md5(_PADDING)[:5], (password + _PADDING)[:32])
    secret = (password + _PADDING)[:32] + owner + permissions.to_bytes(4, "little", signed=True) + identity
    user = rc4(md5(secret)[:5], _PADDING)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    lock = b"/Filter/Standard/V 1/R 2/O<%s>/U<%s>/P %d" % (
        owner.hex().encode(),
        user.hex().encode(),
        permissions,
    )
    name = identity.hex().encode()
    trailer = b"trailer<</Size 4/Root 1 0 R/Encrypt<<%s>>/ID[<%s><%s>]>>\n" % (lock, name, name)
    return data + table + trailer + b"startxref\n%d\n%%%%EOF" % len(data)


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
    file = {"file": ("a.pdf", locked_pdf(b"open sesame"))}
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
