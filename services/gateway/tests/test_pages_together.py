"""Pages that are to be read as one document: one call of the ocr service, and an answer like any other."""

import json
from typing import Any

import pytest
from pecia.ocr.v1 import ocr_pb2
from pecia_core.errors import from_code
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import ModelSize
from pecia_dispatch.testing import Script, ScriptedOcr, engine_description

PATH = "/v1/chat/completions"


def play(_picture: bytes, options: RecognizeOptions) -> Script:
    """A page that says its number."""
    return Script((f"page {options.page_index}", "ünïcode\u2028line"))


def chunks_of(text: str) -> list[dict[str, Any]]:
    """Of a stream."""
    lines = [line for line in text.split("\n\n") if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def able(pages: int = 4) -> list[ocr_pb2.EngineDescription]:
    """Engines of which one reads so many pages as one document."""
    described = engine_description()
    described.pages_together = pages
    return [described]


def methods(ocr: ScriptedOcr) -> list[str]:
    """How each page was asked for."""
    return [seen.method for seen in ocr.seen]


async def test_pages_are_asked_for_at_once(start: Any, chat: Any, data_url: str) -> None:
    """Only by who wants that, in groups as large as the model takes; the text is the same."""
    request = chat(*[data_url] * 5, task_type="markdown", model="rapid")
    wanted = {**request, "extra_body": {"pages_together": True}}
    async with start(ScriptedOcr(play=play, engines=able(3))) as gateway:
        apart = (await gateway.client.post(PATH, json=request)).json()
        assert set(methods(gateway.ocr)) == {"Recognize"}
        gateway.ocr.seen.clear()
        answer = await gateway.client.post(PATH, json=wanted)
        streamed = chunks_of((await gateway.client.post(PATH, json={**wanted, "stream": True})).text)
    assert answer.status_code == 200
    assert answer.headers["x-ocr-engine"] == "rapid"
    assert methods(gateway.ocr) == ["RecognizePages"] * 10
    asked = [seen.options.page_index for seen in gateway.ocr.seen]
    assert sorted(asked) == sorted([0, 1, 2, 3, 4] * 2)
    content = answer.json()["choices"][0]["message"]["content"]
    assert content == apart["choices"][0]["message"]["content"]
    assert "\n\n--- page 2 ---\n\npage 1" in content
    deltas = [chunk["choices"][0]["delta"].get("content", "") for chunk in streamed if chunk["choices"]]
    assert "".join(deltas) == content
    for ocr in (answer.json()["ocr"], streamed[-1]["ocr"]):
        assert [page["number"] for page in ocr["pages"]] == [1, 2, 3, 4, 5]
        assert not ocr["warnings"]


async def test_json_of_pages_read_together(start: Any, chat: Any, data_url: str) -> None:
    """One document, streamed in one piece."""
    fields = {"pages_together": True, "response_format": {"type": "json_object"}, "model": "rapid"}
    async with start(ScriptedOcr(play=play, engines=able())) as gateway:
        answer = (await gateway.client.post(PATH, json=chat(data_url, data_url, **fields))).json()
        text = (await gateway.client.post(PATH, json=chat(data_url, data_url, stream=True, **fields))).text
    document = json.loads(answer["choices"][0]["message"]["content"])
    assert len(document["pages"]) == 2
    pieces = [chunk["choices"][0]["delta"].get("content") for chunk in chunks_of(text)]
    assert [json.loads(piece) for piece in pieces if piece] == [document]


async def test_one_page_is_read_as_ever(start: Any, chat: Any) -> None:
    """There is nothing to read it together with."""
    async with start(ScriptedOcr(play=play, engines=able())) as gateway:
        answer = await gateway.client.post(PATH, json=chat(pages_together=True))
    assert methods(gateway.ocr) == ["Recognize"]
    assert not answer.json()["ocr"]["warnings"]


@pytest.mark.parametrize(
    ("ocr", "fields"),
    [
        (ScriptedOcr(play=play), {}),
        (ScriptedOcr(play=play, engines=able()), {"model": "auto"}),
        (ScriptedOcr(play=play, engines=able(), not_together=from_code("pages_not_together", "No.")), {}),
        (ScriptedOcr(play=play, engines=able(), not_together=from_code("server_error", "It broke.")), {}),
        (ScriptedOcr(play=play, engines=able(), not_together=from_code("engine_unavailable", "Gone.")), {}),
    ],
)
async def test_what_cannot_be_read_together_is_read_apart(
    start: Any, chat: Any, data_url: str, ocr: ScriptedOcr, fields: dict[str, str]
) -> None:
    """Every page comes, and says so."""
    request = chat(data_url, data_url, pages_together=True, **{"model": "rapid", **fields})
    async with start(ocr) as gateway:
        whole = (await gateway.client.post(PATH, json=request)).json()
        streamed = chunks_of((await gateway.client.post(PATH, json={**request, "stream": True})).text)
    assert sorted(methods(ocr)) == ["Recognize"] * 2 + ["RecognizeStream"] * 2
    content = whole["choices"][0]["message"]["content"]
    assert content.startswith("page 0\n")
    deltas = [chunk["choices"][0]["delta"].get("content", "") for chunk in streamed if chunk["choices"]]
    assert "".join(deltas) == content
    for answer in (whole, streamed[-1]):
        assert {warning["code"] for warning in answer["ocr"]["warnings"]} == {"page_read_apart"}


async def test_pages_of_different_sizes_are_no_document(start: Any, chat: Any, data_url: str) -> None:
    """Each picture may name its own; none of them is lost."""
    request = chat(data_url, data_url, pages_together=True, model="rapid")
    images = request["messages"][0]["content"][1:]
    images[0]["image_url"]["detail"], images[1]["image_url"]["detail"] = "low", "high"
    async with start(ScriptedOcr(play=play, engines=able())) as gateway:
        answer = await gateway.client.post(PATH, json=request)
    assert answer.status_code == 200
    asked = {seen.options.page_index: seen.options.model_size for seen in gateway.ocr.seen}
    assert asked == {0: ModelSize.TINY, 1: ModelSize.GUNDAM}


async def test_a_failing_page_names_its_field(start: Any, chat: Any, data_url: str) -> None:
    """The ocr service says which picture, the gateway where that stood."""
    error = from_code("invalid_image", "It is damaged.", param="pictures[1]")
    async with start(ScriptedOcr(play=play, engines=able(), not_together=error)) as gateway:
        request = chat(data_url, data_url, pages_together=True, model="rapid")
        answer = await gateway.client.post(PATH, json=request)
    assert answer.status_code == 400
    said = answer.json()["error"]
    assert (said["code"], said["param"]) == ("invalid_image", "messages[0].content[2].image_url.url")


async def test_pages_too_large_for_one_call(start: Any, chat: Any, data_url: str, monkeypatch: Any) -> None:
    """They are read all the same."""
    monkeypatch.setattr("pecia_gateway.documents._MOST_BYTES", 100)
    async with start(ScriptedOcr(play=play, engines=able())) as gateway:
        request = chat(data_url, data_url, pages_together=True, model="rapid")
        assert (await gateway.client.post(PATH, json=request)).status_code == 200
    assert methods(gateway.ocr) == ["Recognize"] * 2


async def test_health_tells_how_many(start: Any) -> None:
    """So that a caller need not try."""
    async with start(ScriptedOcr(engines=able(8))) as gateway:
        engines = (await gateway.client.get("/health")).json()["engines"]
    assert [engine["pages_together"] for engine in engines] == [8]
