"""Figures of a page the whole way: named in the text, cut out by the ocr service, kept with jobs."""

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pecia_ocr.engines.deepseek.recorded import answer, played
from pecia_ocr.settings import Settings
from pecia_ocr.testing import running
from PIL import Image, ImageDraw

from benchmarks.jobs.places import sqlite_place
from benchmarks.jobs.stage import Cast, Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="module")
# A title, a figure below it, one that is a speck, and one without any area.
SAID = (
    "<|ref|>title<|/ref|><|det|>[[0, 0, 999, 99]]<|/det|>\n# Report\n\n"
    "<|ref|>image<|/ref|><|det|>[[100, 200, 600, 500]]<|/det|>\n\n"
    "<|ref|>image_caption<|/ref|><|det|>[[100, 520, 600, 560]]<|/det|>\nA red field\n\n"
    "<|ref|>image<|/ref|><|det|>[[500, 900, 501, 901]]<|/det|>\n"
    "<|ref|>image<|/ref|><|det|>[[999, 0, 999, 999]]<|/det|>\n"
)
TASK = {"model": "deepseek-ocr", "task_type": "markdown"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Gateway and worker as processes; the ocr service here, its model on a server that plays it."""
    folder = tmp_path_factory.mktemp("figures")
    with played() as model, sqlite_place(folder) as place:
        model.events = answer(SAID)
        groups = {
            "grpc": {"port": 0},
            "engines": {"rapid": False, "tesseract": False},
            "deepseek": {"server_url": model.url, "pages_at_once": 4},
        }
        async with running(Settings.model_validate(groups)) as server:
            cast = Cast(workers=1, slots=4, lease_s=30.0, target=f"127.0.0.1:{server.port}")
            async with staged(place, folder, cast) as running_stage:
                yield running_stage


def page() -> Image.Image:
    """White, with a red field where the model says that a figure is."""
    picture = Image.new("RGB", (1000, 800), "white")
    ImageDraw.Draw(picture).rectangle((100, 160, 600, 400), fill="red")
    return picture


def encoded(kind: str = "PNG", pages: int = 1) -> bytes:
    """The page, as a file of so many."""
    buffer = io.BytesIO()
    others = {"save_all": True, "append_images": [page()] * (pages - 1)} if pages > 1 else {}
    page().save(buffer, kind, **others)
    return buffer.getvalue()


def is_the_field(jpeg: bytes, size: tuple[int, int]) -> bool:
    """Whether a figure is the red field, of about this size."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
        near = all(abs(one - other) <= 3 for one, other in zip(picture.size, size, strict=True))
        red, green, _ = picture.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
        return near and red > 200 and green < 60


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_has_the_figures_its_text_names(stage: Stage, stream: bool) -> None:
    """In the extension beside the boxes; one without pixels is told of; in a stream with the last chunk."""
    url = "data:image/png;base64," + base64.b64encode(encoded()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {**TASK, "messages": [{"role": "user", "content": content}], "figures": True, "stream": stream}
    reply = await stage.http.post(f"{stage.url}/v1/chat/completions", json=body)
    assert reply.status_code == 200, reply.text
    if stream:
        assert reply.text.count('"figures":[') == 1
        return
    said: dict[str, Any] = reply.json()
    text = said["choices"][0]["message"]["content"]
    assert text == "# Report\n\n![](figure-1)\n\nA red field\n\n![](figure-2)"
    (figure,) = said["ocr"]["pages"][0]["figures"]
    assert (figure["name"], figure["block"], figure["media_type"]) == ("figure-1", 1, "image/jpeg")
    assert is_the_field(base64.b64decode(figure["data"]), (500, 240))
    assert [one["code"] for one in said["ocr"]["warnings"]] == ["figures_left_out"]


async def test_a_form_has_them_too_and_nobody_who_did_not_ask(stage: Stage) -> None:
    """`figures=true` beside the file; without it nothing is cut out."""
    for wanted, count in (({"figures": "true"}, 1), ({}, 0)):
        reply = await stage.http.post(
            f"{stage.url}/v1/ocr", files={"file": encoded()}, data={**TASK, **wanted}
        )
        assert reply.status_code == 200, reply.text
        assert len(reply.json()["pages"][0].get("figures", [])) == count


async def test_a_job_keeps_them(stage: Stage) -> None:
    """Its Markdown names them relative to its own address, where they are, until the job is deleted."""
    form = {**TASK, "figures": "true", "dpi": "72", "text_layer": "off"}
    job = await stage.caller.send("report.tiff", encoded("TIFF", 2), form)
    assert await stage.caller.watch(job) == "done"
    text = (await stage.caller.ask("GET", f"/v1/jobs/{job}/download")).text
    assert "![](figures/1/figure-1.jpg)" in text
    assert "![](figures/2/figure-1.jpg)" in text
    assert "![](figure-2)" in text, "it is too small, and leads nowhere"
    found = await stage.http.get(f"{stage.url}/v1/jobs/{job}/figures/2/figure-1.jpg")
    assert (found.status_code, found.headers["content-type"]) == (200, "image/jpeg")
    assert found.headers["x-content-type-options"] == "nosniff"
    assert is_the_field(found.content, (500, 240))
    (listed,) = (await stage.caller.ask("GET", f"/v1/jobs/{job}/pages/1")).json()["figures"]
    assert (listed["name"], listed["block"]) == ("figure-1", 1)
    refused = {
        "/3/figure-1.jpg": 404,
        "/1/figure-2.jpg": 404,
        "/1/figure-7.jpg": 404,
        "/1/..%2f..%2fresult.md": 404,
        "/1/figure-1.png": 400,
    }
    for address, status in refused.items():
        answered = await stage.http.get(f"{stage.url}/v1/jobs/{job}/figures{address}")
        assert answered.status_code == status, (address, answered.text)
    await stage.caller.ask("DELETE", f"/v1/jobs/{job}")
    gone = await stage.http.get(f"{stage.url}/v1/jobs/{job}/figures/2/figure-1.jpg")
    assert gone.status_code == 404


async def test_a_job_that_did_not_ask_has_none(stage: Stage) -> None:
    """No blob is written, and the names in its Markdown stay what the model wrote."""
    job = await stage.caller.send("report.png", encoded(), TASK)
    assert await stage.caller.watch(job) == "done"
    assert "![](figure-1)" in (await stage.caller.ask("GET", f"/v1/jobs/{job}/download")).text
    answered = await stage.http.get(f"{stage.url}/v1/jobs/{job}/figures/1/figure-1.jpg")
    assert answered.status_code == 404
