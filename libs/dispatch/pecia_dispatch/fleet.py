"""What all pods of the ocr service offer together."""

from dataclasses import dataclass

from pecia_core.vocabulary import EngineName, EngineState, ModelSize, TaskType
from pecia_wall import Walls


@dataclass(frozen=True, slots=True)
class EngineOffer:
    """One engine, merged over the pods that have it. `slots` are pages read at once by ready pods.

    `pages_together`: that one answer may be about, at most; 1 = each page has its own.
    """

    name: EngineName
    models: tuple[str, ...]
    revision: str
    state: EngineState
    reason: str
    tasks: tuple[TaskType, ...]
    sizes: tuple[ModelSize, ...]
    languages: tuple[str, ...]
    slots: int
    pages_together: int = 1


@dataclass(frozen=True, slots=True)
class Fleet:
    """The pods that answered, together; limits are the smallest any of them has. 0 = not known.

    `trouble` is why another pod gave no answer, "" where all did. `walls` are the weakest any of them has;
    None = none has said.
    """

    engines: tuple[EngineOffer, ...] = ()
    pods: int = 0
    free_slots: int = 0
    queue_length: int = 0
    running: int = 0
    pages_per_second: float = 0.0
    max_picture_bytes: int = 0
    max_picture_pixels: int = 0
    trouble: str = ""
    walls: Walls | None = None


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod as this gateway sees it; `free_slots` and `queue_length` are its last word, None = none yet."""

    address: str
    reachable: bool
    draining: bool
    outstanding: int
    free_slots: int | None
    queue_length: int | None
