"""What one visitor's session remembers between two runs of the page."""

import hashlib
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Self

from pecia_ui.client import ModelCard
from pecia_ui.errors import UiError
from pecia_ui.overlay import Sheet
from pecia_ui.reading import Reading

_KEY = "visit"


@dataclass(frozen=True, slots=True)
class Picture:
    """What was uploaded, as it came."""

    name: str
    data: bytes = field(repr=False)

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

    def outcome_for(self, picture: Picture | None) -> Outcome | None:
        """The last outcome, if it is of this picture."""
        if picture is None or self.outcome is None or self.outcome.digest != picture.digest:
            return None
        return self.outcome
