"""The words of the glossary."""

from enum import StrEnum
from typing import Any

import pytest
from pecia.ocr.v1 import document_pb2, ocr_pb2
from pecia_core.vocabulary import (
    BlockKind,
    EngineName,
    EngineState,
    FinishReason,
    ModelSize,
    Priority,
    TaskType,
)


@pytest.mark.parametrize(
    "words", [BlockKind, EngineName, EngineState, FinishReason, ModelSize, Priority, TaskType]
)
def test_words_are_lower_case_and_named_as_they_read(words: type[StrEnum]) -> None:
    """A word in JSON is the name of its member in small letters, so that one tells the other."""
    assert [word.value for word in words] == [word.name.lower() for word in words]


@pytest.mark.parametrize(
    ("words", "contract", "prefix"),
    [
        (TaskType, ocr_pb2.TaskType, "TASK_TYPE_"),
        (ModelSize, ocr_pb2.ModelSize, "MODEL_SIZE_"),
        (Priority, ocr_pb2.Priority, "PRIORITY_"),
        (FinishReason, ocr_pb2.FinishReason, "FINISH_REASON_"),
        (EngineState, ocr_pb2.EngineState, "ENGINE_STATE_"),
        (BlockKind, document_pb2.BlockKind, "BLOCK_KIND_"),
    ],
)
def test_the_contract_knows_the_same_words(words: type[StrEnum], contract: Any, prefix: str) -> None:
    """Every enumeration of the contract has our words and `unspecified`, nothing more and nothing less."""
    ours = {f"{prefix}{word.name}" for word in words} | {f"{prefix}UNSPECIFIED"}
    assert set(contract.keys()) == ours


def test_a_word_is_its_own_text() -> None:
    """Words go into JSON, labels and messages without a conversion."""
    assert f"{EngineName.RAPID}" == "rapid"
    assert TaskType("free_ocr") is TaskType.FREE_OCR
