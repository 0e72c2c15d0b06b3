"""The REST client against a real HTTP server."""

import asyncio
import base64
import re
import socket
import time
from typing import Any

import pytest
from pecia_ui import errors
from pecia_ui.asking import Ask, media_type
from pecia_ui.client import Gateway
from pecia_ui.errors import Broken, Refused, TimedOut, UiError, Unreachable
from pecia_ui.reading import Reading
from pecia_ui.testing.gateway import DONE, REQUEST_ID, Answer, StandIn, delta, event, models, page, reading

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


async def read(gateway: StandIn, ask: Ask | None = None, **settings: Any) -> tuple[Reading, list[str]]:
    """Read one picture and also return the pieces in which its text came."""
    pieces: list[str] = []
    client = Gateway(gateway.url, **settings)
    return await client.read(ask or Ask(PNG), pieces.append), pieces


async def failure(gateway: StandIn, **settings: Any) -> UiError:
    """How the reading failed."""
    with pytest.raises(UiError) as caught:
        await read(gateway, **settings)
    return caught.value


async def test_a_reading_comes_piece_by_piece_and_whole(gateway: StandIn) -> None:
    """Pieces joined are the text; lines, engine, timings and request id come with it."""
    gateway.answer = lambda _asked: reading(page(["Kopi susu", "Roti", "Teh"]))
    got, pieces = await read(gateway)
    assert pieces == ["Kopi susu", "\nRoti", "\nTeh"]
    assert got.text == "Kopi susu\nRoti\nTeh"
    assert [line.text for line in got.regions] == ["Kopi susu", "Roti", "Teh"]
    assert [line.is_doubtful(0.8) for line in got.regions] == [False, False, True]
    assert got.engine == "rapid"
    assert got.timings["engine_ms"] == 900
    assert got.request_id == REQUEST_ID
    assert not got.is_blank


async def test_the_picture_goes_as_a_data_url_with_options_at_the_top(gateway: StandIn) -> None:
    """U15: the chat surface, the picture unchanged, model_size, task_type and ref_text at top level."""
    await read(gateway, Ask(PNG, task="Locate Object", size="Tiny", model="rapid", ref_text=" Total "))
    body = gateway.readings[0].json()
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    assert gateway.readings[0].method == "POST"
    assert url.startswith("data:image/png;base64,")
    assert base64.b64decode(url.partition(",")[2]) == PNG
    assert (body["model"], body["model_size"], body["task_type"], body["ref_text"]) == (
        "rapid",
        "Tiny",
        "locate",
        "Total",
    )
    assert body["stream"] is True
    assert "authorization" not in gateway.readings[0].headers


async def test_only_locate_sends_a_ref_text(gateway: StandIn) -> None:
    """What was typed before the task changed is not sent."""
    await read(gateway, Ask(PNG, task="Free OCR", ref_text="Total"))
    assert "ref_text" not in gateway.readings[0].json()


async def test_the_key_is_a_bearer_token_and_in_no_repr(gateway: StandIn) -> None:
    """Keys go to the gateway and nowhere else."""
    await read(gateway, key="pk-secret")
    assert gateway.readings[0].headers["authorization"] == "Bearer pk-secret"
    assert "pk-secret" not in repr(Gateway(gateway.url, key="pk-secret"))


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
async def test_a_key_that_cannot_be_sent_is_refused_here(gateway: StandIn, key: str) -> None:
    """It would break the request, or smuggle a header into it."""
    error = await failure(gateway, key=key)
    assert (error.status, error.code) == (401, "invalid_api_key")
    assert gateway.asked == []


async def test_line_separators_of_unicode_do_not_end_an_event(gateway: StandIn) -> None:
    """The gateway sends them as they are; only a newline ends a line."""
    odd = "a\u2028b\u2029c\x85d\x1ee"
    gateway.answer = lambda _asked: Answer.stream(delta(odd), DONE)
    assert (await read(gateway))[0].text == odd


async def test_an_event_may_come_in_pieces_of_bytes(gateway: StandIn) -> None:
    """Neither events nor characters end where packets do."""
    whole = delta("Größe") + DONE
    gateway.answer = lambda _asked: Answer.stream(*(bytes([byte]) for byte in whole), pause_s=0.001)
    assert (await read(gateway))[0].text == "Größe"


async def test_an_error_after_the_first_byte_is_told_with_its_code(gateway: StandIn) -> None:
    """The status is 200 by then, so the stream itself says what happened."""
    said = {"error": {"message": "The engine broke.", "type": "server_error", "code": "server_error"}}
    gateway.answer = lambda _asked: Answer.stream(delta("half"), event(said), DONE)
    error = await failure(gateway)
    assert isinstance(error, Refused)
    assert (error.message, error.code, error.request_id) == ("The engine broke.", "server_error", REQUEST_ID)


async def test_an_answer_that_breaks_off_is_no_reading(gateway: StandIn) -> None:
    """Half a page must not look like a page."""
    gateway.answer = lambda _asked: Answer.stream(delta("half"))
    error = await failure(gateway)
    assert isinstance(error, Broken)
    assert error.request_id == REQUEST_ID


@pytest.mark.parametrize(
    ("status", "code", "headers", "wait"),
    [
        (400, "invalid_image", {}, None),
        (401, "invalid_api_key", {}, None),
        (404, "model_not_found", {}, None),
        (413, "image_file_too_large", {}, None),
        (415, "unsupported_image_media_type", {}, None),
        (429, "queue_full", {"retry_after": "7"}, 7),
        (503, "model_loading", {"retry_after": "15"}, 15),
        (504, "inference_timeout", {}, None),
        (507, "gpu_out_of_memory", {}, None),
    ],
)
async def test_a_refusal_keeps_the_gateways_words(
    gateway: StandIn, status: int, code: str, headers: dict[str, str], wait: float | None
) -> None:
    """Message, code, status, request id and waiting time, and a step to take."""
    gateway.answer = lambda _asked: Answer.refusal(status, code, f"It is {code}.", **headers)
    error = await failure(gateway)
    assert isinstance(error, Refused)
    assert (error.status, error.code, error.message) == (status, code, f"It is {code}.")
    assert (error.request_id, error.retry_after) == (REQUEST_ID, wait)
    assert error.next_step


async def test_a_proxys_error_page_is_a_refusal_too(gateway: StandIn) -> None:
    """Not every answer comes from the gateway."""
    gateway.answer = lambda _asked: Answer(502, {"content-type": "text/html"}, [b"<h1>Bad gateway</h1>"])
    error = await failure(gateway)
    assert error.status == 502
    assert error.message == "The gateway answered HTTP 502 without saying why."


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"content-type": "text/html"}, [b"<h1>Welcome</h1>"]),
        Answer.stream(b"data: {not json\n\n"),
        Answer.stream(b"data: [1]\n\n"),
        Answer.stream(event({"choices": [], "ocr": {"pages": [{"width": 1}]}}), DONE),
        Answer.stream(event({"choices": ["x"]}), DONE),
    ],
)
async def test_what_is_no_answer_of_a_gateway_is_said_to_be_none(gateway: StandIn, answer: Answer) -> None:
    """Nothing escapes as a traceback."""
    gateway.answer = lambda _asked: answer
    assert isinstance(await failure(gateway), Broken)


async def test_an_answer_that_takes_too_long_times_out(gateway: StandIn) -> None:
    """Keep-alives do not extend the time; the call is dropped so that the gateway can stop."""
    gateway.answer = lambda _asked: Answer.stream(*[b": keep-alive\n\n"] * 100, pause_s=0.1)
    started = time.monotonic()
    error = await failure(gateway, timeout_s=0.5)
    assert isinstance(error, TimedOut)
    assert time.monotonic() - started < 5
    assert await asyncio.to_thread(gateway.hung_up.wait, 5)


async def test_nothing_listening_is_unreachable() -> None:
    """Nobody answers at the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gateway = StandIn(url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        error = await failure(gateway)
    assert isinstance(error, Unreachable)
    assert gateway.url in error.message


async def test_a_cancelled_reading_hangs_up(gateway: StandIn) -> None:
    """The gateway hears of it and stops the engine."""
    gateway.answer = lambda _asked: reading(page([f"line {n}" for n in range(200)]), pause_s=0.05)
    running = asyncio.create_task(read(gateway))
    await asyncio.sleep(0.3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await asyncio.to_thread(gateway.hung_up.wait, 5)


async def test_models_are_listed_with_their_engines(gateway: StandIn) -> None:
    """The picker shows who answers."""
    gateway.models = models(("auto", "rapid", "ready"), ("deepseek-ocr", "rapid", "loading"))
    cards = await Gateway(gateway.url).models()
    assert [(card.id, card.engine, card.state) for card in cards] == [
        ("auto", "rapid", "ready"),
        ("deepseek-ocr", "rapid", "loading"),
    ]


async def test_a_list_of_models_that_is_none_is_an_error(gateway: StandIn) -> None:
    """The page still opens then; it only cannot list them."""
    gateway.models = Answer.of({"models": []})
    with pytest.raises(Broken):
        await Gateway(gateway.url).models()


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"BM\x00", "image/bmp"),
        (b"II*\x00", "image/tiff"),
        (b"MM\x00*", "image/tiff"),
        (b"<html>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_media_type_is_told_by_the_bytes(start: bytes, kind: str) -> None:
    """File names lie."""
    assert media_type(start) == kind


def test_every_next_step_is_a_sentence() -> None:
    """People read them."""
    steps = [*errors._NEXT_STEPS.values(), *errors._STEP_OF_STATUS.values()]
    assert all(re.fullmatch(r"[A-Z].*\.", step) for step in steps)
