"""The names under which an existing backend and its workers keep their queue in Redis."""

from dataclasses import dataclass
from typing import Self

from pecia_worker.intake_settings import IntakeSettings


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """Redis keys of one queue of document ids.

    Attributes:
        queue: list; the backend pushes bare ids to its right end.
        processing: set of ids that are being worked on; the backend looks here before it pushes.
        stamps: hash id -> milliseconds since 1970 (Redis's clock) of the last sign of life.
        attempts: hash id -> how often it was taken. A mirror for people: the backend may reset it.
        pushes: hash id -> `token|takes` of what the backend pushed once, however often it is taken.
        dead: list of ids that were given up.
        stream: stream that keeps a copy of what is published; empty = none.
    """

    queue: str
    processing: str
    stamps: str
    attempts: str
    pushes: str
    dead: str
    stream: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Every key, in the order in which the scripts take them."""
        kept = (self.queue, self.processing, self.stamps, self.attempts, self.pushes, self.dead)
        return (*kept, self.stream) if self.stream else kept

    @classmethod
    def of(cls, settings: IntakeSettings) -> Self:
        """As the settings name them; the others stand beside those."""
        return cls(
            queue=settings.queue_key,
            processing=settings.processing_key,
            stamps=f"{settings.processing_key}:timestamps",
            attempts=settings.attempts_key,
            pushes=f"{settings.processing_key}:pushes",
            dead=settings.dead_key or f"{settings.queue_key.removesuffix(':queue')}:dead",
            stream=settings.stream_key,
        )
