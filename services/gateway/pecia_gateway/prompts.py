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
# Two patterns, since one with `.*` between its ends would take the square of the prompt's length.
_LOCATE = re.compile(r"locate\s*<\|ref\|>", re.IGNORECASE)
_REF_END = re.compile(r"<\|/ref\|>", re.IGNORECASE)
_LONGEST = 4000  # characters; no known prompt is longer, not even with words to locate and tokens around
_CONTROL_TOKEN = re.compile(r"<\|[^<>|]*\|>|<image>", re.IGNORECASE)


def without_control_tokens(text: str) -> str:
    """The text without `<|...|>` and `<image>`, also where removing one puts another together.

    Meant for short texts: what is nested takes the square of its length.
    """
    while (shorter := _CONTROL_TOKEN.sub("", text)) != text:
        text = shorter
    return text.strip()


def task_of(prompt: str) -> tuple[TaskType, str] | None:
    """The task and ref_text a known prompt means; None = free text, which chooses nothing."""
    if len(prompt) > _LONGEST:
        return None
    if begin := _LOCATE.search(prompt):
        ends = [end.start() for end in _REF_END.finditer(prompt, begin.end())]
        if ends:
            return TaskType.LOCATE, prompt[begin.end() : ends[-1]]
    plain = " ".join(without_control_tokens(prompt).casefold().split()).rstrip(" .")
    task = _TASK_OF_TEXT.get(plain)
    return (task, "") if task else None
