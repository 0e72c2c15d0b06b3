"""A picture of the page with what was found on it: asked for over REST, drawn by the ocr service."""

import base64
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

pytestmark = pytest.mark.engine
_BLUE = (0x1F, 0x6F, 0xEB)


def _picture(page: dict[str, Any]) -> Image.Image:
    data = base64.b64decode(page["annotated_png"])
    with Image.open(BytesIO(data), formats=["PNG"]) as picture:
        return picture.convert("RGB")


@pytest.mark.parametrize("model", ["rapid", "tesseract"])
def test_a_form_gets_a_picture_of_its_page(stack: Any, receipt: bytes, model: str) -> None:
    """The picture has the page's size, and every line stands in a frame."""
    form = {"annotate": "true", "model": model}
    answer = httpx.post(f"{stack.url}/v1/ocr", files={"file": receipt}, data=form, timeout=120)
    assert answer.status_code == 200, answer.text
    page = answer.json()["pages"][0]
    picture = _picture(page)
    assert picture.size == (page["width"], page["height"])
    colours = {colour for _, colour in picture.getcolors(2**24) or []}
    assert _BLUE in colours


@pytest.mark.parametrize("stream", [False, True])
def test_chat_gets_it_in_the_extension(stack: Any, receipt: bytes, stream: bool) -> None:
    """`annotate` beside the fields of OpenAI's; in a stream it comes with the last chunk."""
    url = "data:image/png;base64," + base64.b64encode(receipt).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"messages": [{"role": "user", "content": content}], "annotate": True, "stream": stream}
    answer = httpx.post(f"{stack.url}/v1/chat/completions", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    if stream:
        assert answer.text.count('"annotated_png"') == 1
    else:
        assert _picture(answer.json()["ocr"]["pages"][0]).size > (0, 0)


def test_nobody_who_did_not_ask_pays_for_it(stack: Any, receipt: bytes) -> None:
    """Without the field there is no picture in the answer."""
    answer = httpx.post(f"{stack.url}/v1/ocr", files={"file": receipt}, timeout=120)
    assert "annotated_png" not in answer.json()["pages"][0]
