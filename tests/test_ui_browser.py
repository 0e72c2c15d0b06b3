"""The page in a real Chromium: on the real services, and on a gateway slow enough to watch."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pecia_client.testing import Asked as ClientAsked
from pecia_client.testing.jobs import ScriptedJobs
from pecia_core.sample_pdf import long_pdf, prose
from pecia_standalone import leash
from pecia_ui.palette import CONFIDENT
from pecia_ui.testing.gateway import Answer, Asked, StandIn, page, reading, stand_in
from pecia_ui.views import head
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A name that is neither https nor localhost, as behind a load balancer without a certificate.
    "--host-resolver-rules=MAP pecia.test 127.0.0.1",
]
PATIENCE_MS = 90_000
"""Milliseconds. A first page on a busy machine takes its time; nothing here measures speed."""


@contextlib.contextmanager
def running_page(gateway: str, log: Path) -> Iterator[str]:
    """The page as a process of its own that asks `gateway`; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    settings = {"API_BASE": gateway, "PECIA_UI__HOST": "127.0.0.1", "PECIA_UI__PORT": port}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "pecia_ui"], env=os.environ | settings, stdout=sink, stderr=sink
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    """As a load balancer asks."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/_stcore/health", timeout=5).text == "ok":
                return
        time.sleep(0.1)
    pytest.fail("the page did not start")


@pytest.fixture(scope="session")
def real_url(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page on the real services."""
    with running_page(stack.url, tmp_path_factory.mktemp("ui") / "log") as url:
        yield url


@pytest.fixture
def slow_gateway() -> Iterator[StandIn]:
    """A gateway that says a line every half second."""
    with stand_in() as gateway:
        gateway.answer = lambda _asked: reading(page([f"Line {n}" for n in range(1, 400)]), pause_s=0.5)
        yield gateway


@pytest.fixture
def slow_url(slow_gateway: StandIn, tmp_path: Path) -> Iterator[str]:
    """The page on that gateway."""
    with running_page(slow_gateway.url, tmp_path / "log") as url:
        yield url


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium or Chrome, or playwright's own."""
    # None = the one that playwright installed; where there is none, its error says what to do.
    program = shutil.which("chromium") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Page]:
    """A tab that may talk to this machine only; what it asks of others fails the test."""
    tab = await browser.new_page(viewport={"width": 1360, "height": 900})
    tab.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    asked: set[str] = set()
    tab.on("request", lambda request: asked.add(request.url))
    yield tab
    hosts = {urlsplit(url).hostname for url in asked if url.startswith(("http", "ws"))}
    assert hosts <= {"127.0.0.1", "pecia.test"}


def blue_pixels(screenshot: bytes) -> int:
    """How many pixels have the colour of boxes."""
    wanted = tuple(bytes.fromhex(CONFIDENT[1:]))
    with Image.open(BytesIO(screenshot)) as picture:
        pixels: Any = picture.convert("RGB").get_flattened_data()
    return sum(all(abs(a - b) < 24 for a, b in zip(pixel, wanted, strict=True)) for pixel in pixels)


async def downloaded(tab: Page, button: str) -> tuple[str, str]:
    """Name and content of what a button saves."""
    async with tab.expect_download() as download:
        await tab.get_by_role("button", name=button, exact=True).click()
    file = await download.value
    return file.suggested_filename, (await file.path()).read_text()


async def test_upload_read_and_download(real_url: str, tab: Page, receipt: bytes) -> None:
    """A picture goes in; text and boxes come on screen; files come out, and the result stays."""
    await tab.goto(real_url)
    await expect(tab).to_have_title("pecia: text from pictures")
    icon = await tab.locator("link[rel~=icon]").get_attribute("href")
    assert await tab.evaluate("icon => fetch(icon).then(answer => answer.text())", icon) == head.ICON
    await expect(tab.get_by_role("button", name="Read the picture")).to_be_disabled()
    files = [{"name": "receipt.png", "mimeType": "image/png", "buffer": receipt}]
    await tab.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    shown = tab.get_by_role("img", name="The picture to read")
    await expect(shown).to_be_visible()
    before = blue_pixels(await shown.screenshot())

    await tab.get_by_role("button", name="Read the picture").click()
    await expect(tab.get_by_text(re.compile("Processing complete! .*by rapid"))).to_be_visible()
    area = tab.get_by_role("textbox", name="Recognised text")
    text = await area.input_value()
    assert "TOKO PECIA" in text
    assert re.search(r"TOTAL\s+77\.145", text)
    marked = tab.get_by_role("img", name=re.compile("The picture with boxes around \\d+ lines of text"))
    await expect(marked).to_be_visible()
    assert blue_pixels(await marked.screenshot()) > before + 1000

    assert await downloaded(tab, "Download text") == ("receipt.txt", text)
    name, markdown = await downloaded(tab, "Markdown")
    assert name == "receipt.md"
    assert "TOKO PECIA" in markdown
    name, told = await downloaded(tab, "JSON")
    assert name == "receipt.json"
    assert json.loads(told)["ocr"]["engine"] == "rapid"
    await expect(area).to_have_value(text)


async def test_locate_marks_only_what_was_asked_for(real_url: str, tab: Page, receipt: bytes) -> None:
    """The field appears, and the answer has one box."""
    await tab.goto(real_url)
    files = [{"name": "receipt.png", "mimeType": "image/png", "buffer": receipt}]
    await tab.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    await tab.get_by_role("combobox", name=re.compile("Task")).click()
    await tab.get_by_role("option", name="Locate Object").click()
    await tab.get_by_label("Text to locate", exact=True).fill("Kembali")
    await tab.get_by_role("button", name="Read the picture").click()
    await expect(tab.get_by_text("Processing complete!")).to_be_visible()
    await expect(tab.get_by_role("textbox", name="Recognised text")).to_have_value(re.compile("Kembali"))
    await expect(tab.get_by_role("img", name="The picture with boxes around 1 line of text")).to_be_visible()


async def test_the_text_can_be_copied_over_plain_http(real_url: str, tab: Page) -> None:
    """Browsers keep the clipboard's own interface from such pages; the button works all the same."""
    await tab.goto(real_url.replace("127.0.0.1", "pecia.test"))
    assert await tab.evaluate("window.isSecureContext") is False
    await tab.get_by_role("button", name="Try a sample").click()
    area = tab.get_by_role("textbox", name="Recognised text")
    await expect(area).to_be_visible()
    await tab.get_by_role("button", name="Copy text").click()
    await expect(tab.get_by_role("button", name="Copied")).to_be_visible()
    await tab.evaluate("document.body.append(document.createElement('textarea'))")
    await tab.locator("body > textarea").focus()
    await tab.keyboard.press("Control+V")
    assert await tab.locator("body > textarea").input_value() == await area.input_value() != ""


async def test_text_appears_while_it_is_read_and_stop_stops(
    slow_gateway: StandIn, slow_url: str, tab: Page
) -> None:
    """A spinner, then line by line; a click hangs up, so that the gateway can free the engine.

    The next try is refused: nothing of the reading stays beside the message.
    """
    await tab.goto(slow_url)
    await tab.get_by_role("button", name="Try a sample").click()
    await expect(tab.get_by_text("Reading the picture…")).to_be_visible()
    await expect(tab.get_by_text(re.compile(r"\d+ lines so far"))).to_be_visible()
    await expect(tab.get_by_text(re.compile(r"Line 2\b"))).to_be_visible()
    assert "Line 399" not in await tab.inner_text("body")
    await tab.get_by_role("button", name="Stop").click()
    await expect(tab.get_by_text("The reading was stopped.")).to_be_visible()
    end = time.monotonic() + 30
    while not slow_gateway.hung_up.is_set() and time.monotonic() < end:
        await tab.wait_for_timeout(100)
    assert slow_gateway.hung_up.is_set()

    slow_gateway.answer = lambda _asked: Answer.refusal(429, "queue_full", "All engines are busy.")
    await tab.get_by_role("button", name="Read the picture").click()
    await expect(tab.get_by_text("All engines are busy.")).to_be_visible()
    await expect(tab.get_by_text("Waiting for the first line")).to_have_count(0)
    await expect(tab.get_by_role("button", name="Stop")).to_have_count(0)


async def test_a_telephone_shows_all_of_it(real_url: str, tab: Page) -> None:
    """Nothing is wider than the screen."""
    await tab.set_viewport_size({"width": 390, "height": 844})
    await tab.goto(real_url)
    await tab.get_by_role("button", name="Try a sample").click()
    await expect(tab.get_by_role("textbox", name="Recognised text")).to_be_visible()
    assert await tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert await tab.evaluate(
        "[...document.querySelectorAll('textarea, img, button')]"
        ".every(one => one.getBoundingClientRect().right <= window.innerWidth + 1)"
    )


@pytest.fixture
def jobs(slow_gateway: StandIn) -> ScriptedJobs:
    """Jobs of that gateway, whose pages are done when the test says so."""
    scripted = ScriptedJobs()

    def answer(asked: Asked) -> Answer:
        told = scripted.answer(ClientAsked(asked.method, asked.path, asked.headers, asked.body))
        return Answer(told.status, told.headers, [told.body] if told.pieces is None else told.pieces)

    slow_gateway.jobs = answer
    slow_gateway.answer = lambda _asked: Answer.refusal(400, "pdf_too_many_pages", "More than 8 pages.")
    return scripted


async def test_a_long_document_is_read_before_the_eyes(
    jobs: ScriptedJobs, slow_url: str, tab: Page, browser: Browser
) -> None:
    """A PDF of three pages too many becomes a job by itself; nobody reloads, and progress and pages come.

    The text of a page is there before the end, selectable; another browser with the same address sees it
    too; a page that failed is named and read again; the file comes out at the end.
    """
    await tab.goto(slow_url)
    files = [{"name": "thesis.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 long"}]
    await tab.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    await tab.get_by_role("button", name="Read the picture").click()
    await expect(tab.get_by_text("0 of 3 pages")).to_be_visible()
    (job_id,) = jobs.jobs
    jobs.done(job_id, 1, "Bab satu <b>x</b>")
    area = tab.get_by_role("textbox", name="Recognised text")
    await expect(area).to_have_value("Bab satu <b>x</b>")
    await expect(tab.get_by_text("1 of 3 pages")).to_be_visible()
    assert f"job={job_id}" in tab.url
    jobs.done(job_id, 2, "Bab dua")
    await expect(area).to_have_value("Bab dua")

    other = await browser.new_page()
    await other.goto(tab.url)
    await expect(other.get_by_text("2 of 3 pages")).to_be_visible(timeout=PATIENCE_MS)
    jobs.fail(job_id, 3, "The picture is damaged.")
    for one in (tab, other):
        await expect(one.get_by_text("Page 3: The picture is damaged.")).to_be_visible(timeout=PATIENCE_MS)
    await other.close()

    await tab.get_by_role("button", name="Re-run").click()
    await expect(tab.get_by_role("button", name="Cancel")).to_be_visible()
    jobs.done(job_id, 3, "Bab tiga")
    await expect(tab.get_by_text("Processing complete!")).to_be_visible()
    assert await downloaded(tab, "Text") == ("thesis.txt", "Bab satu <b>x</b>\n\nBab dua\n\nBab tiga")
    assert await downloaded(tab, "Tables") == ("thesis.csv", "no,table")


async def test_the_history_opens_and_deletes(jobs: ScriptedJobs, slow_url: str, tab: Page) -> None:
    """A listed job opens, is in the address with its mode, and is deleted behind a second click."""
    job_id = jobs.add("letter.pdf", pages=1)
    await tab.goto(slow_url)
    await tab.get_by_role("radio", name="Job History").click()
    await expect(tab.get_by_text("0 of 1 pages")).to_be_visible()
    jobs.done(job_id, 1)
    await tab.get_by_role("button", name="Open").click()
    await expect(tab.get_by_text("Processing complete!")).to_be_visible()
    assert urlsplit(tab.url).query.split("&") == ["mode=history", f"job={job_id}"]
    await tab.get_by_role("button", name="Delete").click()
    await tab.get_by_role("button", name="Yes, delete this job").click()
    await expect(tab.get_by_text("There are no jobs yet.")).to_be_visible()
    assert jobs.jobs == {}


@pytest.fixture(scope="session")
def worker(stack: Any) -> Iterator[None]:
    """Reads the jobs of those services."""
    settings = {"XDG_STATE_HOME": str(stack.log.parent), "PECIA_OCR__TARGET": stack.target}
    settings["PECIA_HEALTH__PORT"] = "0"
    with stack.log.open("ab") as sink:
        process = subprocess.Popen(
            leash.command("pecia_worker"), env=os.environ | settings, stdout=sink, stderr=sink
        )
    yield
    process.kill()
    process.wait()


@pytest.mark.usefixtures("worker")
async def test_a_page_of_a_pdf_stands_beside_its_text(real_url: str, stack: Any, tab: Page) -> None:
    """In every mode, on the real services: how it looks, with boxes or without, beside it what it says."""
    files = {"file": ("letter.pdf", long_pdf([prose(), prose(top=200)]))}
    async with httpx.AsyncClient(base_url=stack.url, timeout=60) as client:
        job_id = (await client.post("/v1/jobs", files=files)).json()["job_id"]
    await tab.goto(f"{real_url}?mode=history&job={job_id}")
    await expect(
        tab.get_by_text("Processing complete!")
    ).to_be_visible()  # until then the newest page is shown
    seen = tab.get_by_role("img", name="Page 1 with boxes around 4 lines of text")
    area = tab.get_by_role("textbox", name="Recognised text")
    for mode in ("quick", "manual", "history"):
        await tab.goto(f"{real_url}?mode={mode}&job={job_id}")
        await expect(seen).to_be_visible()
        await expect(area).to_have_value(re.compile("Rapat tahunan"))
        places: list[Any] = [await one.bounding_box() for one in (seen, area)]
        assert places[0]["x"] + places[0]["width"] <= places[1]["x"]
    assert blue_pixels(await seen.screenshot()) > 100
    await tab.get_by_text("Boxes", exact=True).click()
    plain = tab.get_by_role("img", name="Page 1", exact=True)
    await plain.evaluate("picture => picture.decode()")  # the former one stays until the next has come
    without = await plain.screenshot()
    assert blue_pixels(without) < 10
    with Image.open(BytesIO(without)) as shown:
        assert sum(shown.convert("L").histogram()[:90]) > 100  # the page's own ink
    await tab.get_by_role("spinbutton", name="Page").fill("2")
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("img", name="Page 2", exact=True)).to_be_visible()
