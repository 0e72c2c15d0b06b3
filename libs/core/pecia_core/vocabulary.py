"""The words of the glossary (docs/glossary.md) as types: one word per thing, everywhere."""

from enum import StrEnum


class TaskType(StrEnum):
    """What the caller wants from a page."""

    FREE_OCR = "free_ocr"
    MARKDOWN = "markdown"
    PARSE_FIGURE = "parse_figure"
    LOCATE = "locate"
    LINES = "lines"
    DESCRIBE = "describe"


class ModelSize(StrEnum):
    """How many pixels DeepSeek-OCR's vision encoder sees. CPU engines ignore it, with a warning."""

    TINY = "tiny"
    SMALL = "small"
    BASE = "base"
    LARGE = "large"
    GUNDAM = "gundam"


class EngineName(StrEnum):
    """What reads a page."""

    RAPID = "rapid"
    TESSERACT = "tesseract"
    DEEPSEEK = "deepseek"
    SCRIPTED = "scripted"


class BlockKind(StrEnum):
    """What a region of a page is."""

    TITLE = "title"
    PARAGRAPH = "paragraph"
    TABLE = "table"
    FIGURE = "figure"
    FORMULA = "formula"
    LIST = "list"
    CAPTION = "caption"
    HEADER = "header"
    FOOTER = "footer"


class FinishReason(StrEnum):
    """Why an engine stopped."""

    STOP = "stop"
    LENGTH = "length"
    REPETITION = "repetition"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """Queue class of a page, last first."""

    FLEX = "flex"
    DEFAULT = "default"
    PRIORITY = "priority"


class EngineState(StrEnum):
    """Whether an engine can answer."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
