"""What is asked of an engine for one page, what it says on the way, and what is known at the end."""

from dataclasses import dataclass, field

from pecia_core.document import Block, Line, Page
from pecia_core.vocabulary import FinishReason, ModelSize, Priority, TaskType


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an engine that generates tokens chooses them; others ignore it. max_tokens 0 = engine's bound."""

    temperature: float = 0.0
    max_tokens: int = 0
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: float | None = None


@dataclass(frozen=True, slots=True)
class RecognizeOptions:
    """What the caller wants from one page. `languages` empty = what the engine was configured with.

    `annotate` asks for a picture of the page on which the places that were found are drawn, `figures` for
    the figures of the page, cut out.
    """

    model: str = "auto"
    task_type: TaskType = TaskType.FREE_OCR
    model_size: ModelSize | None = None
    ref_text: str = ""
    languages: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    priority: Priority = Priority.DEFAULT
    page_index: int = 0
    annotate: bool = False
    figures: bool = False


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds."""

    decode_ms: float = 0.0
    queue_ms: float = 0.0
    engine_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; `image_tokens` is part of `prompt_tokens`. Engines without tokens report words."""

    prompt_tokens: int = 0
    image_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should know although the answer came."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure cut out of the page and turned upright, as a JPEG of `width` x `height` pixels.

    `name` is what the text calls it, as in `![](figure-1)`; `block` the reading_order of its block.
    """

    name: str
    block: int
    width: int
    height: int
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recognition:
    """A finished page. `cached` = from a result that was kept: nothing was read for this call.

    `annotated_png` and `figures` are empty unless they were asked for; pictures are left out of the repr.
    `agreement`: how far two engines agree on the page, 0.0 to 1.0; None = it was read by one.
    """

    page: Page
    text: str
    engine: str
    model: str = ""
    finish_reason: FinishReason = FinishReason.STOP
    fallback_from: str = ""
    attempts: int = 1
    warnings: tuple[Notice, ...] = ()
    timings: Timings = field(default_factory=Timings)
    usage: Usage = field(default_factory=Usage)
    cached: bool = False
    annotated_png: bytes = field(default=b"", repr=False)
    figures: tuple[Figure, ...] = ()
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A worker has begun with the page, or its result was kept (`cached`) and follows."""

    engine: str
    model: str = ""
    queue_ms: float = 0.0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """Text as it is recognised; all deltas joined are the text of the finished recognition."""

    text: str
    line: Line | None = None


# A page's life as its caller sees it: Started, then Deltas and Blocks, then one Recognition.
Event = Started | Delta | Block | Recognition
