"""Names, values and replays of kept results: who shares a name, what is believed, and what is told."""

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.document import Block, Line, Page
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Delta, Notice, Recognition, RecognizeOptions, Sampling, Started
from pecia_core.vocabulary import BlockKind, EngineName, FinishReason, ModelSize, Priority, TaskType
from pecia_ocr.cache import CacheControl, replayed
from pecia_ocr.cache.entry import FORMAT, MAX_BYTES, decoded, encoded
from pecia_ocr.cache.key import key_of
from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling.frames import RawShape
from pecia_ocr.scheduling.page import PageInput

ENGINE = EngineInfo(EngineName.RAPID, ("rapid",), "ppocr-6", tuple(TaskType))
SIZED = EngineInfo(EngineName.DEEPSEEK, ("deepseek-ocr",), "r1", tuple(TaskType), tuple(ModelSize))
PLACE = Polygon.from_bbox(BBox(1, 2, 30, 40))


def key(
    data: bytes = b"picture",
    raw: RawShape | None = None,
    tenant: str = "acme",
    engine: EngineInfo = ENGINE,
    setup: str = "",
    **options: Any,
) -> str:
    """The name of a page."""
    return asyncio.run(key_of(PageInput(data, RecognizeOptions(**options), "", raw), tenant, engine, setup))


def recognition(*rows: str, kind: BlockKind = BlockKind.PARAGRAPH) -> Recognition:
    """A page with a block for each word and a line for each letter of it."""
    blocks = tuple(
        Block(kind, PLACE, tuple(Line(letter, PLACE, 0.9, row=index) for index, letter in enumerate(word)))
        for word in rows
    )
    text = "\n".join("\n".join(word) for word in rows)
    return Recognition(Page(100, 100, blocks), text, "rapid", "ppocr-6")


@pytest.mark.parametrize(
    "same",
    [
        {"model": "auto"},
        {"model": "PPOCR "},
        {"page_index": 3},
        {"priority": Priority.FLEX},
        {"model_size": ModelSize.TINY},  # an engine without sizes passes over it
    ],
)
def test_what_changes_no_text_changes_no_name(same: dict[str, Any]) -> None:
    """The name a caller uses for the engine, the page's number, and how urgent it is."""
    assert key(**same) == key()


@pytest.mark.parametrize(
    "other",
    [
        {"data": b"picture2"},
        {"raw": RawShape(1, 1, 1)},
        {"tenant": "acm"},
        {"setup": "v2"},
        {"engine": replace(ENGINE, revision="ppocr-7")},
        {"engine": replace(ENGINE, name=EngineName.TESSERACT)},
        {"task_type": TaskType.MARKDOWN},
        {"ref_text": "Total"},
        {"languages": ("ind",)},
        {"languages": ("ind", "eng")},
        {"sampling": Sampling(max_tokens=5)},
        {"sampling": Sampling(seed=5)},
    ],
)
def test_what_may_change_the_text_changes_the_name(other: dict[str, Any]) -> None:
    """Bytes, their shape, tenant, engine, revision, setup and every option that is left."""
    assert key(**other) != key()


def test_sizes_have_names_of_their_own() -> None:
    """Where the engine has sizes, however they are said."""
    said: list[dict[str, Any]] = [
        {"model": "deepseek-ocr"},
        {"model": "deepseek-ocr:tiny"},
        {"model": "deepseek-ocr", "model_size": ModelSize.LARGE},
    ]
    assert len({key(engine=SIZED, **one) for one in said}) == 3


@given(st.binary(max_size=40), st.text(max_size=8), st.binary(max_size=40), st.text(max_size=8))
def test_parts_of_a_name_do_not_run_into_each_other(one: bytes, tenant: str, two: bytes, other: str) -> None:
    """Equal names are equal requests, wherever the border between tenant and bytes lies."""
    same = key(one, tenant=tenant) == key(two, tenant=other)
    assert same == ((one, tenant) == (two, other))


def test_a_large_picture_has_the_same_name_beside_the_loop() -> None:
    """Hashing in a thread gives what hashing at once gives, and names are plain hexadecimal."""
    large = bytes(3 << 20)
    assert key(large) == key(large) != key(large[1:])
    mark, digits = key(large).split(":")
    assert (len(mark), len(digits)) == (24, 64)
    assert int(mark, 16)
    assert int(digits, 16)


def test_a_result_comes_back_as_it_was() -> None:
    """What is encoded is decoded, and never says by itself that it was kept."""
    read = recognition("ab", "c")
    assert decoded(encoded(replace(read, cached=True)), ENGINE) == read


@pytest.mark.parametrize(
    "suspicious",
    [
        {"finish_reason": FinishReason.LENGTH},
        {"finish_reason": FinishReason.REPETITION},
        {"finish_reason": FinishReason.CANCELLED},
        {"fallback_from": "deepseek-ocr"},
        {"warnings": (Notice("repetition_truncated", "It ran in circles."),)},
        {"attempts": 2},
        {"engine": "tesseract"},
        {"model": "ppocr-5"},
    ],
)
def test_a_result_that_should_not_be_there_is_not_believed(suspicious: dict[str, Any]) -> None:
    """Whoever put it there: another engine's, another revision's, or one that is never kept."""
    assert decoded(encoded(replace(recognition("ab"), **suspicious)), ENGINE) is None


@given(st.binary(max_size=300))
def test_noise_is_not_believed(noise: bytes) -> None:
    """Bytes of somebody else's making are a miss, whatever they are."""
    assert decoded(noise, ENGINE) is None


@given(st.data())
def test_damage_is_noticed_or_harmless(data: st.DataObject) -> None:
    """A flipped byte gives a miss or a well-formed page, never an exception."""
    good = bytearray(encoded(recognition("ab", "c")))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    believed = decoded(bytes(good), ENGINE)
    if believed is not None:
        assert list(replayed(believed, TaskType.FREE_OCR))[-1] == replace(believed, cached=True)


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x91" * 100_000,
        b"x" * (MAX_BYTES + 1),
        b"\xdd\xff\xff\xff\xff",
        encoded(recognition("a")) + b"\x00",
        encoded(recognition("a")).replace(msgspec.msgpack.encode(100), msgspec.msgpack.encode(-1)),
    ],
    ids=["nested", "huge", "lengths", "tail", "negative"],
)
def test_hostile_bytes_are_a_miss(hostile: bytes) -> None:
    """Depth, size, lengths that lie, more than one value, and a page no picture can be."""
    assert decoded(hostile, ENGINE) is None


def test_the_format_follows_the_types() -> None:
    """It is a short word that stays the same while the model does."""
    assert len(FORMAT) == 12
    schema = msgspec.json.encode(msgspec.json.schema(Recognition), order="sorted")
    assert b'"cached"' in schema
    assert b'"Polygon"' in schema


def test_lines_are_told_one_by_one() -> None:
    """Started, each line, each block after its lines, the result; the deltas joined are the text."""
    read = recognition("ab", "c")
    events = list(replayed(read, TaskType.FREE_OCR))
    assert [type(event) for event in events] == [Started, Delta, Delta, Block, Delta, Block, Recognition]
    assert "".join(event.text for event in events if isinstance(event, Delta)) == read.text
    assert events[0] == Started("rapid", "ppocr-6", cached=True)
    assert events[-1] == replace(read, cached=True)


@pytest.mark.parametrize("task", list(TaskType))
@given(rows=st.lists(st.text(max_size=4), max_size=4), text=st.text(max_size=20))
def test_the_deltas_are_the_text_whatever_it_is(task: TaskType, rows: list[str], text: str) -> None:
    """Also of engines whose text is not their lines."""
    read = replace(recognition(*rows), text=text)
    events = list(replayed(read, task))
    assert "".join(event.text for event in events if isinstance(event, Delta)) == text
    assert tuple(event for event in events if isinstance(event, Block)) == read.page.blocks


@pytest.mark.parametrize(
    ("header", "may_answer", "may_keep"),
    [
        ("", True, True),
        ("no-cache", False, True),
        ("No-Cache", False, True),
        ("no-store", False, False),
        ("max-age=0, no-store ,no-cache", False, False),
        ("max-age=0", True, True),
        ("no-cachet", True, True),
        ("\x00,,,;", True, True),
    ],
)
def test_a_callers_word(header: str, may_answer: bool, may_keep: bool) -> None:
    """HTTP's words, in any case and company."""
    assert CacheControl.parsed(header) == CacheControl(may_answer, may_keep)
