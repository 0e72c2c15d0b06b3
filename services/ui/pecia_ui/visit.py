"""What one visitor's session remembers between two runs of the page."""

import hashlib
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Self

from pecia_ui.client import ModelCard
from pecia_ui.errors import UiError
from pecia_ui.following import Follower
from pecia_ui.job_calls import JobCalls
from pecia_ui.jobs import JobPage, PageText
from pecia_ui.overlay import Sheet
from pecia_ui.reading import Reading

_KEY = "visit"
_MOST_PAGE_TEXTS = 50
_MOST_PAGE_PICTURES = 8
# Asked again, the gateway would say the same.
_FOR_GOOD = frozenset({404, 409, 410})


@dataclass(frozen=True, slots=True)
class Picture:
    """What was uploaded, as it came: a picture, or a PDF."""

    name: str
    data: bytes = field(repr=False)

    @property
    def is_pdf(self) -> bool:
        """Whether only the gateway can open it: this page opens no PDFs."""
        return self.data.startswith(b"%PDF-")

    @property
    def digest(self) -> str:
        """The same for the same bytes."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one reading ended: with a reading, or with an error and the text that had come by then."""

    digest: str
    task_type: str
    asked: str
    seconds: float
    reading: Reading | None = None
    error: UiError | None = None
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The gateway's models, or why they are not known; true until `expires` (monotonic seconds)."""

    asked_as: tuple[str, str] = field(repr=False)  # the key is one of them
    expires: float
    cards: tuple[ModelCard, ...] = ()
    error: UiError | None = None

    def is_fresh(self, asked_as: tuple[str, str]) -> bool:
        """Whether it still answers for this address and key."""
        return self.asked_as == asked_as and time.monotonic() < self.expires


@dataclass(slots=True)
class Visit:
    """One visitor. `is_reading` stays True when a reading is interrupted: nobody was there to end it."""

    sample: Picture | None = None
    uploads: int = 0
    wants_reading: bool = False
    is_reading: bool = False
    outcome: Outcome | None = None
    inventory: Inventory | None = None
    drawing: tuple[str, Sheet, bytes] | None = None
    follower: Follower | None = None
    job_error: UiError | None = None
    submit_error: UiError | None = None
    cursors: list[str] = field(default_factory=list)
    _calls: JobCalls | None = field(default=None, repr=False)
    _page_texts: dict[tuple[str, int], PageText] = field(default_factory=dict, repr=False)
    _page_pictures: dict[tuple[str, int], bytes | UiError] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, session: MutableMapping[Any, Any]) -> Self:
        """The session's visit, made at the first run."""
        if _KEY not in session:
            session[_KEY] = cls()
        visit: Self = session[_KEY]
        return visit

    def take_sample(self, sample: Picture) -> None:
        """Show the sample instead of what was uploaded, and read it."""
        self.sample = sample
        self.uploads += 1  # a new uploader, without the former file
        self.wants_reading = True

    def drop_sample(self) -> None:
        """An upload takes its place."""
        self.sample = None

    def follower_of(self, calls: JobCalls, job_id: str) -> Follower:
        """Who follows this job for this visitor; another one when the job or the key is another."""
        if self.follower is None or self.follower.job_id != job_id or self._calls != calls:
            self.forget_job()
            self._calls = calls
            self.follower = Follower(calls, job_id)
        return self.follower

    def forget_job(self) -> None:
        """What is known of the open job: it changed in ways that its follower does not hear of."""
        self.follower = None
        self._page_texts.clear()
        self._page_pictures.clear()

    def page_text(self, job_id: str, page: JobPage, fetch: Callable[[], PageText]) -> PageText:
        """What was read on a page, fetched once. Raises what `fetch` raises."""
        key = (job_id, page.number)
        known = self._page_texts.pop(key, None) or fetch()
        self._page_texts[key] = known
        while len(self._page_texts) > _MOST_PAGE_TEXTS:
            self._page_texts.pop(next(iter(self._page_texts)))
        return known

    def page_picture(self, job_id: str, number: int, fetch: Callable[[], bytes]) -> bytes:
        """How a page looks, fetched once; also that it cannot be had. Raises what `fetch` raises."""
        key = (job_id, number)
        known = self._page_pictures.pop(key, None)
        if known is None:
            try:
                known = fetch()
            except UiError as failure:
                if failure.status not in _FOR_GOOD:
                    raise
                known = failure
        self._page_pictures[key] = known
        while len(self._page_pictures) > _MOST_PAGE_PICTURES:
            self._page_pictures.pop(next(iter(self._page_pictures)))
        if isinstance(known, UiError):
            raise known
        return known

    def first_jobs(self) -> None:
        """The newest jobs again."""
        self.cursors.clear()

    def older_jobs(self, cursor: str) -> None:
        """Those behind the cursor."""
        self.cursors.append(cursor)

    def newer_jobs(self) -> None:
        """Those that were shown before."""
        self.cursors.pop()

    def outcome_for(self, picture: Picture | None) -> Outcome | None:
        """The last outcome, if it is of this picture."""
        if picture is None or self.outcome is None or self.outcome.digest != picture.digest:
            return None
        return self.outcome
