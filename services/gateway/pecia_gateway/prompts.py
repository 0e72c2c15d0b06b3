"""Prompt texts people know from DeepSeek-OCR, and the tasks they mean."""

import re

from pecia_core.vocabulary import TaskType

_TASK_OF_TEXT = {
    "free ocr": TaskType.FREE_OCR,
    "ocr": TaskType.FREE_OCR,
    "convert the document to markdown": TaskType.MARKDOWN,
    "parse the figure": TaskType.PARSE_FIGURE,
    "ocr this image": TaskType.LINES,
    "describe this image": TaskType.DESCRIBE,
    "describe this image in detail": TaskType.DESCRIBE,
}
_LOCATE = re.compile(r"locate\s*<\|ref\|>(?P<ref_text>.*)<\|/ref\|>", re.IGNORECASE | re.DOTALL)
_CONTROL_TOKEN = re.compile(r"<\|[^<>|]*\|>|<image>", re.IGNORECASE)


def without_control_tokens(text: str) -> str:
    """The text without `<|...|>` and `<image>`, also where removing one puts another together."""
    while (shorter := _CONTROL_TOKEN.sub("", text)) != text:
        text = shorter
    return text.strip()


def task_of(prompt: str) -> tuple[TaskType, str] | None:
    """The task and ref_text a known prompt means; None = free text, which chooses nothing."""
    if found := _LOCATE.search(prompt):
        return TaskType.LOCATE, found["ref_text"]
    plain = " ".join(without_control_tokens(prompt).casefold().split()).rstrip(" .")
    task = _TASK_OF_TEXT.get(plain)
    return (task, "") if task else None
