"""docs/request-flow.md is true: a real request goes through the functions it names, in its order."""

import asyncio
import base64
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from pkgutil import resolve_name
from types import FrameType, ModuleType
from typing import Any

import httpx
from pecia_core.recognition import RecognizeOptions
from pecia_core.testing import sample_receipt
from pecia_core.vocabulary import EngineName
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings
from pecia_ocr import decoding, reading
from pecia_ocr.engines import catalogue
from pecia_ocr.engines.base import CancelToken
from pecia_ocr.testing import picture, running, scripted_settings

PAGE = Path(__file__).parents[1] / "docs/request-flow.md"
NAME = re.compile(r"`(pecia_(?:gateway|ocr|core)\.[\w.]+)`")
Step = tuple[str, list[str]]


def steps(heading: str) -> list[Step]:
    """The numbered steps of a section: their number, and the code they name, by file and qualified name."""
    section = PAGE.read_text().split(f"## {heading}")[1].split("\n## ")[0]
    numbered = re.split(r"(?m)^(\d+)\. ", section)[1:]
    return [
        (number, [place for name in NAME.findall(text.split("\n\n")[0]) for place in places(name)])
        for number, text in zip(numbered[::2], numbered[1::2], strict=True)
    ]


def places(name: str) -> list[str]:
    """Where a dotted name is defined, as `module:qualified name`; nothing for a module or plain data."""
    found: Any = resolve_name(name)
    # What a dataclass does when it is made bears no name.
    if isinstance(found, ModuleType) or is_dataclass(found):
        return []
    return [f"{found.__module__}:{found.__qualname__}"]


@contextmanager
def calls() -> Iterator[list[str]]:
    """Every function of ours that is called in this thread, in order of the first call."""
    seen: dict[str, None] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("pecia_"):
            seen[f"{module}:{frame.f_code.co_qualname}"] = None

    ordered: list[str] = []
    sys.setprofile(note)
    try:
        yield ordered
    finally:
        sys.setprofile(None)
        ordered.extend(seen)


def first_call(place: str, called: list[str]) -> int:
    """When a function, or any method of a class, was first called; -1 = never."""
    return next(
        (index for index, one in enumerate(called) if one == place or one.startswith(f"{place}.")), -1
    )


def check(described: list[Step], called: list[str]) -> None:
    """Everything named was called, and the steps began in the order of their numbers."""
    begins = []
    for number, named in described:
        never = [place for place in named if first_call(place, called) < 0]
        assert not never, f"step {number} names what a request does not call: {never}"
        if named:
            begins.append((min(first_call(place, called) for place in named), int(number)))
    assert [number for _, number in sorted(begins)] == [number for _, number in begins]


async def ask(target: str, *, stream: bool) -> httpx.Response:
    """Send a picture through a gateway in this process."""
    settings = Settings.model_validate({"ocr": {"target": target}})
    app = create_app(settings)
    url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "scripted", "stream": stream, "messages": [{"role": "user", "content": content}]}
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as client:
        return await client.post("http://gateway/v1/chat/completions", json=body, timeout=30)


async def test_a_request_goes_the_documented_way() -> None:
    """Gateway and ocr service call what the page names, step by step, and answer as it says."""
    with calls() as called:
        async with running(scripted_settings(cache={"enabled": True})) as server:
            answer = await ask(f"127.0.0.1:{server.port}", stream=False)
            streamed = await ask(f"127.0.0.1:{server.port}", stream=True)
            await asyncio.sleep(0)
    assert answer.status_code == streamed.status_code == 200
    check(steps("In the gateway"), called)
    check([step for step in steps("In the ocr service") if step[0] != "8"], called)
    check([("8", ["pecia_ocr.server:OcrServer"])], called)
    for rendered in ("pecia_gateway.rendering:chat_completion", "pecia_gateway.streaming:frames"):
        assert first_call(rendered, called) >= 0


def test_a_page_goes_the_documented_way() -> None:
    """Inside a worker the page is read as described; its line becomes a delta with its separator."""
    receipt, _ = sample_receipt()
    with calls() as called:
        engine = catalogue.build(EngineName.RAPID, {})
        engine.load(lambda _: None)
        options = RecognizeOptions()
        recognition = reading.read_page(
            engine, lambda: decoding.decode_for_reading(receipt), options, CancelToken(), lambda _: None
        )
    assert recognition.text
    described = [step for step in steps("In a worker process") if step[0] != "13"]
    check(described, called)
    assert first_call("pecia_ocr.engines.catalogue:build", called) >= 0
    assert first_call("pecia_ocr.engines.rapid.orientation:vote", called) >= 0
