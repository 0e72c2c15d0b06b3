"""What a hostile page makes a model write, in a real Chromium: no script runs, and nothing is asked for."""

import asyncio
import html as entities
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
from pecia_ui.markup import html
from PIL import Image
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.conftest import Stack, running_stack
from tests.test_ui_browser import PATIENCE_MS, browser, running_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HOSTILE: list[str] = json.loads(Path(__file__).with_name("hostile_markup.json").read_text())
ELSEWHERE = "hostile.test"
CORNER = "#123456"
MANY = 15

__all__ = ["browser"]


@dataclass
class Seen:
    """What a tab did: scripts that ran, addresses asked for, what its policy had to stop."""

    ran: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def outside(self) -> list[str]:
        """Addresses on machines that are not ours."""
        return [url for url in self.asked if ELSEWHERE in url]


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[tuple[Page, Seen]]:
    """A tab, and what it did."""
    tab, seen = await browser.new_page(viewport={"width": 1360, "height": 900}), Seen()
    tab.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)

    def hear(said: ConsoleMessage) -> None:
        if said.text.startswith("ran "):
            seen.ran.append(said.text)
        elif "Content Security" in said.text:
            seen.stopped.append(said.text)

    tab.on("console", hear)
    tab.on("request", lambda request: seen.asked.append(request.url))
    # In each frame; a real box would hold everything up until it is closed.
    await tab.add_init_script("window.alert = number => console.log('ran ' + number)")
    yield tab, seen
    await tab.close()


def framed(documents: list[str]) -> str:
    """A page with a frame for each, so that none hides another."""
    return "".join(f'<iframe srcdoc="{entities.escape(one, quote=True)}"></iframe>' for one in documents)


async def test_untreated_they_would_run(tab: tuple[Page, Seen]) -> None:
    """The control: in the same browser, watched in the same way, the list does what it says."""
    page, seen = tab
    await page.set_content(framed(HOSTILE), wait_until="commit")
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while len(set(seen.ran)) < MANY or len(set(seen.outside())) < MANY:
            await asyncio.sleep(0.1)


async def test_treated_they_only_show(tab: tuple[Page, Seen]) -> None:
    """With no policy of the page's own to help, in a document and in the cell of a table."""
    page, seen = tab
    cells = [f"<table><tr><td>{hostile}</td></tr></table>" for hostile in HOSTILE]
    await page.set_content(framed([html(one) for one in HOSTILE + cells]))
    for frame in page.frames[1:]:
        for link in await frame.query_selector_all("a[href]"):
            assert (await link.get_attribute("href") or "").startswith(("http://", "https://", "mailto:"))
    await page.wait_for_timeout(1000)
    assert (seen.ran, seen.outside()) == ([], [])


@pytest.fixture(scope="module")
def hostile_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Services whose engine writes the whole list on one page."""
    written = json.dumps("\n\n".join(HOSTILE))
    lines = json.dumps(HOSTILE[30].replace("{", "{{").replace("}", "}}"))
    script = f'[hostile]\ncorner = "{CORNER}"\ncount = 2\ntext = {lines}\ncontent = {written}\n'
    with running_stack(
        tmp_path_factory.mktemp("hostile") / "log",
        PECIA_ENGINES__RAPID="false",
        PECIA_ENGINES__TESSERACT="false",
        PECIA_ENGINES__SCRIPTED_SCRIPT=script,
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def hostile_url(hostile_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page for people on them."""
    with running_page(hostile_stack.url, tmp_path_factory.mktemp("ui") / "log") as url:
        yield url


async def test_the_page_for_people_only_shows(hostile_url: str, tab: tuple[Page, Seen]) -> None:
    """The whole way: picture, engine, gateway, page, each of its tabs; the second wall is not touched."""
    page, seen = tab
    picture = BytesIO()
    Image.new("RGB", (200, 100), CORNER).save(picture, "PNG")
    await page.goto(hostile_url)
    name = "<img src=x onerror=alert(1)>![x](https://hostile.test/name.png).png"
    files = [{"name": name, "mimeType": "image/png", "buffer": picture.getvalue()}]
    await page.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    for choice, option in (("Model", re.compile("scripted")), ("Task", "Convert to Markdown")):
        await page.get_by_role("combobox", name=re.compile(f"^{choice}\\b(?! size)")).click()
        await page.get_by_role("option", name=option).click()
    await page.get_by_role("button", name="Read the picture").click()
    await expect(page.get_by_text("Processing complete!")).to_be_visible()
    for name in ("Lines", "Preview", "Text"):
        await page.get_by_role("tab", name=name).click()
        await page.wait_for_timeout(500)
    text = await page.get_by_role("textbox", name="Recognised text").input_value()
    assert all(
        hostile.strip() in text for hostile in ("<svg onload=alert(35)>", "![x](https://hostile.test/1.png)")
    )
    await page.get_by_role("tab", name="Preview").click()
    await expect(page.locator(".pecia-preview").get_by_text("alert(30)")).to_be_visible()
    assert (seen.ran, seen.outside(), seen.stopped) == ([], [], [])
    assert await page.get_by_text("Download as CSV").count() == 0


async def test_the_browser_itself_would_stop_them(
    hostile_url: str, hostile_stack: Stack, tab: tuple[Page, Seen]
) -> None:
    """The wall behind that: put into the finished page, or the one at /docs, they are refused."""
    page, seen = tab
    for url, shown in ((hostile_url, "Read the picture"), (f"{hostile_stack.url}/docs", "/v1/ocr")):
        await page.goto(url)
        await expect(page.get_by_text(shown, exact=True).first).to_be_visible()
        assert seen.stopped == []
        await page.evaluate(
            """() => {
                document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=alert(1)>");
                document.body.insertAdjacentHTML("beforeend", "<img src=https://hostile.test/a.png>");
                document.body.append(Object.assign(document.createElement("script"), {text: "alert(2)"}));
            }"""
        )
        await page.wait_for_timeout(500)
        assert len(seen.stopped) >= 3
        seen.stopped.clear()
    assert seen.ran == []
