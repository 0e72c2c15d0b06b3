"""What a person would try on the page after a deployment, done by a real Chromium, for scripts/verify.sh.

    scripts/verify_page.py PAGE_URL MODEL PICTURE WORDS TIMEOUT_S

Uploads the picture, has it read with every size and every task, and looks for the words on screen; each time
on a page opened anew, so that nothing on screen is of the time before. Prints a line a check: `ok`, what; or
`FAIL`, what, why; with tabs between them.
"""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from playwright.sync_api import Error, Page, expect, sync_playwright

_SIZES = ("Tiny", "Small", "Base", "Large", "Gundam")
_TASKS = ("Free OCR", "Convert to Markdown", "Parse Figure", "Locate Object")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
_LOCATE = "Locate Object"
_AUTO, _DEFAULT_SIZE = "auto", "Gundam"
# CPU engines read no figures and say so on the page: that is an answer, too.
_REFUSABLE = "Parse Figure"


class Visit:
    """A tab on the page, as a person uses it."""

    def __init__(self, tab: Page, url: str, model: str, picture: str) -> None:
        """Nothing is open yet."""
        self._tab = tab
        self._url = url
        self._model = model
        self._picture = picture

    def open(self) -> None:
        """The page, with its title and its button."""
        self._tab.goto(self._url)
        expect(self._tab).to_have_title(re.compile("pecia"))
        expect(self._tab.get_by_role("button", name="Read the picture")).to_be_visible()

    def upload(self) -> None:
        """A picture goes in and is shown."""
        self.open()
        self._tab.locator("input[type=file]").set_input_files(self._picture)
        expect(self._tab.get_by_role("img", name="The picture to read")).to_be_visible()

    def read(self, words: str, size: str = _DEFAULT_SIZE) -> None:
        """The picture is read with a size; its words and its boxes come on screen."""
        self.upload()
        self._choose("Model size", size)
        self._pressed()
        area = self._tab.get_by_role("textbox", name="Recognised text")
        expect(area).to_have_value(re.compile(r"\s*".join(map(re.escape, words.replace(" ", "")))))
        boxes = re.compile(r"The picture with boxes around \d+ lines? of text")
        expect(self._tab.get_by_role("img", name=boxes)).to_be_visible()

    def do(self, task: str, words: str) -> None:
        """The picture is read with a task; an answer comes on screen."""
        self.upload()
        self._choose("Task", task)
        if task == _LOCATE:
            self._tab.get_by_label("Text to locate", exact=True).fill(words)
        self._pressed(refusable=task == _REFUSABLE)

    def _choose(self, name: str, value: str) -> None:
        self._tab.get_by_role("combobox", name=re.compile(name)).click()
        self._tab.get_by_role("option", name=re.compile(rf"^{re.escape(value)}\b")).first.click()

    def _pressed(self, *, refusable: bool = False) -> None:
        if self._model != _AUTO:
            self._choose(r"Model\b(?! size)", self._model)
        self._tab.get_by_role("button", name="Read the picture").click()
        done = self._tab.get_by_text("Processing complete!")
        expect(done.or_(self._tab.get_by_role("alert")) if refusable else done).to_be_visible()


@contextmanager
def _tab(timeout_s: float) -> Iterator[Page]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        tab = browser.new_page(viewport={"width": 1360, "height": 900})
        tab.set_default_timeout(timeout_s * 1000)
        expect.set_options(timeout=timeout_s * 1000)
        yield tab
        browser.close()


def _check(what: str, attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except (Error, AssertionError) as error:
        why = " ".join(str(error).split())[:160]
        sys.stdout.write(f"FAIL\t{what}\t{why}\n")
        return False
    sys.stdout.write(f"ok\t{what}\n")
    return True


def main(url: str, model: str, picture: str, words: str, timeout_s: str) -> None:
    """All checks; those that need the page or the picture are left out where there is none."""
    with _tab(float(timeout_s)) as tab:
        visit = Visit(tab, url, model, picture)
        if not _check("browser: the page opens", visit.open):
            return
        if not _check("browser: a picture is uploaded", visit.upload):
            return
        for size in _SIZES:
            _check(f"browser: size {size}, words and boxes on screen", partial(visit.read, words, size))
        for task in _TASKS:
            _check(f"browser: task {task}", partial(visit.do, task, words))


if __name__ == "__main__":
    main(*sys.argv[1:6])
