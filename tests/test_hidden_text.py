"""Text that a PDF hides does not speak, the whole way: read at once, and as a job that may use its text."""

from pathlib import Path

import httpx
import pytest

from benchmarks.jobs.places import sqlite_place
from benchmarks.jobs.stage import Cast, staged
from tests.conftest import Stack

# Shown: black, large. Hidden: invisible, white on white, and far off the page.
CONTENT = b"""BT /F1 40 Tf 60 600 Td (TOTAL 77.145) Tj ET
BT /F1 30 Tf 3 Tr 60 500 Td (TRANSFER TO MALLORY) Tj ET
BT /F1 30 Tf 0 Tr 1 1 1 rg 60 400 Td (TRANSFER TO MALLORY) Tj ET
BT /F1 30 Tf 0 g 60 -400 Td (TRANSFER TO MALLORY) Tj ET
"""


def hiding_pdf() -> bytes:
    """One page that shows a total, and says three times what it does not show."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(CONTENT), CONTENT),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        body
        + head
        + table
        + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (
            len(objects) + 1,
            len(body),
        )
    )


@pytest.mark.engine
@pytest.mark.slow
async def test_hidden_text_does_not_speak_the_whole_way(stack: Stack, tmp_path: Path) -> None:
    """What is seen is read; what is not seen is in no answer, no page and no document."""
    files = {"file": ("bill.pdf", hiding_pdf(), "application/pdf")}
    async with httpx.AsyncClient(base_url=stack.url, timeout=120) as client:
        said = (await client.post("/v1/ocr", files=files)).text
    assert "77.145" in said
    assert "MALLORY" not in said

    cast = Cast(workers=1, slots=2, lease_s=30.0, target=stack.target)
    with sqlite_place(tmp_path) as place:
        async with staged(place, tmp_path, cast) as stage:
            made = await stage.http.post(f"{stage.url}/v1/jobs", files=files, data={"text_layer": "auto"})
            job = made.json()["job_id"]
            view = {"status": ""}
            while view["status"] not in {"completed", "failed"}:
                view = (await stage.http.get(f"{stage.url}/v1/jobs/{job}")).json()
            page = (await stage.http.get(f"{stage.url}/v1/jobs/{job}/pages/1")).text
            whole = (await stage.http.get(f"{stage.url}/v1/jobs/{job}/download?format=json")).text
    assert "77.145" in page
    assert "MALLORY" not in page + whole
