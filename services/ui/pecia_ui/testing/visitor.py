"""Somebody at the page, by Streamlit's own test runner: no browser, the real script."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from streamlit.testing.v1 import AppTest

APP = Path(__file__).parent.parent / "app.py"
_PATIENCE_S = 60


def opened(**address: str) -> AppTest:
    """The page in a new session, with what its address says after the question mark.

    Raises:
        AssertionError: it fails.
    """
    site = AppTest.from_file(APP, default_timeout=_PATIENCE_S)
    site.query_params.update(address)
    return _sound(site.run())


def click(site: AppTest, key: str) -> AppTest:
    """Press a button and see what then stands there. Raises as `opened`."""
    site.button(key=key).click().run()
    return _sound(site)


def look(site: AppTest) -> AppTest:
    """What stands there a moment later, as when a part of the page renews itself. Raises as `opened`."""
    return _sound(site.run())


def upload(site: AppTest, name: str = "scan.png", data: bytes | None = None) -> AppTest:
    """Choose a file; a white picture unless `data` is given. Raises as `opened`."""
    site.file_uploader[0].upload(name, picture() if data is None else data, "image/png").run()
    return _sound(site)


def submit(site: AppTest) -> AppTest:
    """Press the button and wait for the end. Raises as `opened`."""
    return click(site, "submit")


def picture(colour: str = "white") -> bytes:
    """A picture of one colour as PNG, 800 x 600 pixels."""
    buffer = BytesIO()
    Image.new("RGB", (800, 600), colour).save(buffer, "PNG")
    return buffer.getvalue()


def recognised(site: AppTest) -> str:
    """What stands in the text area with the copy button; empty = there is none."""
    areas = site.get("bidi_component")
    shown: dict[str, Any] = json.loads(areas[0].proto.json) if areas else {}
    return str(shown.get("text", ""))


def said(site: AppTest) -> str:
    """Everything in words on the page, as people read it."""
    kinds = (site.success, site.info, site.warning, site.error, site.caption, site.markdown)
    words = [element.value for kind in kinds for element in kind]
    bars = [str(element.proto.text) for element in site.get("progress")]
    return "\n".join(words + bars).replace("\\", "")


def legend(site: AppTest) -> str:
    """The line below the picture that counts the boxes, as HTML."""
    bodies = (str(element.proto.body) for element in site.get("html"))
    return next((body for body in bodies if "to check" in body), "")


def _sound(site: AppTest) -> AppTest:
    if site.exception:
        raise AssertionError(site.exception[0].value)
    return site
