"""Prompt texts and the tasks they mean."""

from time import perf_counter

import pytest
from pecia_core.vocabulary import TaskType
from pecia_gateway.prompts import task_of, without_control_tokens


@pytest.mark.parametrize(
    ("prompt", "task"),
    [
        ("Free OCR.", TaskType.FREE_OCR),
        ("<image>\nFree OCR.", TaskType.FREE_OCR),
        ("free ocr", TaskType.FREE_OCR),
        ("<image>\n<|grounding|>Convert the document to markdown.", TaskType.MARKDOWN),
        ("Convert the document\n to markdown", TaskType.MARKDOWN),
        ("<image>\nParse the figure.", TaskType.PARSE_FIGURE),
        ("<image>\n<|grounding|>OCR this image.", TaskType.LINES),
        ("Describe this image in detail.", TaskType.DESCRIBE),
    ],
)
def test_known_prompt_means_its_task(prompt: str, task: TaskType) -> None:
    """DeepSeek-OCR's own prompts choose the task, with or without their control tokens."""
    assert task_of(prompt) == (task, "")


def test_locate_prompt_carries_what_to_look_for() -> None:
    """The words between the ref tokens are the ref_text."""
    prompt = "<image>\nLocate <|ref|>the total<|/ref|> in the image."
    assert task_of(prompt) == (TaskType.LOCATE, "the total")


@pytest.mark.parametrize("prompt", ["", "What is the total?", "Do not parse the figure.", "Locate the total"])
def test_free_text_chooses_nothing(prompt: str) -> None:
    """A question in the caller's own words leaves the task to its default."""
    assert task_of(prompt) is None


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("total", "total"),
        ("a<|det|>b", "ab"),
        ("<|<|x|>y|>total", "total"),
        ("<image>total<|/ref|>", "total"),
        ("<|ref|><|/ref|>", ""),
        ("3 < 4 | 5 > 2", "3 < 4 | 5 > 2"),
    ],
)
def test_control_tokens_are_taken_out(text: str, clean: str) -> None:
    """No control token is left, not even one that removing another has put together."""
    assert without_control_tokens(text) == clean


@pytest.mark.parametrize(
    "piece", ["Locate <|ref|>", "<|/ref|>", "<|grounding|>", "<|", "|>", "<image>", "locate   ", "<|ref|>"]
)
def test_no_prompt_holds_up_the_others(piece: str) -> None:
    """Megabytes of what the patterns look for are gone through once."""
    began = perf_counter()
    assert task_of("a" + piece * 500_000) is None
    assert task_of("<|" * 500_000 + "|>" * 500_000) is None
    assert perf_counter() - began < 5


def test_locate_ends_at_its_last_end() -> None:
    """As it always has: what stands between is the caller's business."""
    assert task_of("locate<|REF|>a<|/ref|>b<|/REF|>c") == (TaskType.LOCATE, "a<|/ref|>b")
    assert task_of("<|/ref|>locate<|ref|>a") is None
