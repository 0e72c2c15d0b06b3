"""The grammar under every cut and every load: same meaning, nothing lost, no more time than the length."""

import re
from itertools import accumulate
from random import Random
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.vocabulary import TaskType
from pecia_ocr.engines.deepseek.grammar import Grammar, Piece, TextPiece
from pecia_ocr.engines.deepseek.profiles import PROFILES, Family

BOXES = r"\[\[\d+, \d+, \d+, \d+\](?:, \[\d+, \d+, \d+, \d+\])*\]"
TAG = re.compile(
    rf"<\|ref\|>((?:(?!<\|/?(?:ref|det)\|>).)*)<\|/ref\|><\|det\|>\s*{BOXES}\s*<\|/det\|>", re.DOTALL
)

LABEL = re.compile(r"\s*[A-Za-z_][A-Za-z0-9_-]{0,39}\s*")


def grammar(family: Family = Family.V1, task: TaskType = TaskType.MARKDOWN) -> Grammar:
    """For a page on which the grid is easy to follow."""
    return Grammar(PROFILES[family], 999, 1998, task)


def read(answer: str, family: Family = Family.V1, task: TaskType = TaskType.MARKDOWN) -> list[Piece]:
    """All pieces of an answer that comes at once."""
    reader = grammar(family, task)
    return [*reader.feed(answer), *reader.finish()]


def text_of(pieces: list[Piece]) -> str:
    """The text pieces joined."""
    return "".join(piece.text for piece in pieces if isinstance(piece, TextPiece))


def tag(label: str) -> str:
    """A reference as the first model writes it."""
    return f"<|ref|>{label}<|/ref|><|det|>[[1, 2, 3, 4], [5, 6, 7, 8]]<|/det|>"


PARTS = st.sampled_from(
    ["<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "[[1, 2, 3, 4]]", "[[1, 2, 3, 4], [5, 6, 7, 8]]", "[[1]]"]
    + [
        "<",
        "|",
        ">",
        "text",
        "image",
        "Total 5",
        "\n",
        "\n\n\n",
        "<td>",
        "\\coloneqq",
        "\\colon",
        "<|re",
        "ä",
    ]
    + [tag("text"), tag("image"), tag("5 <"), "<PAGE>"]
    + ["<|det|>text [1, 2, 3, 4]<|/det|>"]
)
ANSWERS = st.lists(PARTS, max_size=30).map("".join)


@given(ANSWERS, st.randoms(use_true_random=False), st.sampled_from(TaskType), st.sampled_from(Family))
def test_however_it_arrives_it_means_the_same(
    answer: str, random: Random, task: TaskType, family: Family
) -> None:
    """Cut anywhere, even into single characters: the same blocks, the same text, no exception."""
    whole = read(answer, family, task)
    cuts = sorted(random.choices(range(len(answer) + 1), k=random.randrange(0, 2 + len(answer))))
    reader = grammar(family, task)
    pieces: list[Piece] = []
    for begin, end in zip([0, *cuts], [*cuts, len(answer)], strict=True):
        pieces += reader.feed(answer[begin:end])
    pieces += reader.finish()
    assert text_of(pieces) == text_of(whole)
    assert [piece for piece in pieces if not isinstance(piece, TextPiece)] == [
        piece for piece in whole if not isinstance(piece, TextPiece)
    ]


@given(ANSWERS)
def test_nothing_outside_a_tag_is_lost(answer: str) -> None:
    """All that is left without well-formed tags is in the text: every character, in its order."""
    without = TAG.sub(lambda found: "" if LABEL.fullmatch(found[1]) else found[1], answer)
    wanted = re.sub(r"\s", "", without.replace("\\coloneqq", ":="))
    said = re.sub(r"\s", "", re.sub(r"!\[\]\(figure-\d+\)", "", text_of(read(answer))))
    assert said == wanted


@given(ANSWERS, st.sampled_from(Family))
def test_a_piece_never_ends_inside_a_mark(answer: str, family: Family) -> None:
    """Fed one character at a time: where a mark stands in the text, one piece holds the whole of it."""
    reader = grammar(family)
    pieces = [*(piece for character in answer for piece in reader.feed(character)), *reader.finish()]
    texts = [piece.text for piece in pieces if isinstance(piece, TextPiece)]
    ends = set(accumulate(map(len, texts)))
    for mark in re.finditer(r"<\|/?(?:ref|det)\|>|<PAGE>|<td>|\\coloneqq", "".join(texts)):
        assert not ends & set(range(mark.start() + 1, mark.end()))


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize(
    "part",
    [
        "<|ref|>",
        "<|ref|>a<|/ref|><|det|>",
        "<|ref|>a<|/ref|><|det|>[[",
        "<",
        "<|",
        "<td ",
        "\n",
        "a",
        "\\colon",
    ]
    + [tag("text"), "<|ref|>a<|/ref|><|det|>[[1, 2, 3, 4], ", "<|ref|>" + "a" * 8000],
)
def test_hostile_answers_cost_no_more_than_their_length(part: str, step: int) -> None:
    """Ten times the answer takes about ten times as long, however it is cut."""

    def seconds(length: int) -> float:
        answer = (part * (length // len(part) + 1))[:length]
        reader = grammar()
        begin = thread_time()
        for at in range(0, length, step):
            reader.feed(answer[at : at + step])
        reader.finish()
        return thread_time() - begin

    small = max(min(seconds(3_000) for _ in range(3)), 0.002)
    assert min(seconds(30_000) for _ in range(3)) < 50 * small


def test_a_megabyte_of_marks_is_read_in_proportion() -> None:
    """The longest answer anybody could send, ten times the time of a tenth of it, with room."""

    def seconds(length: int) -> float:
        answer = ("<|ref|><|ref|>" * (length // 14 + 1))[:length]
        begin = thread_time()
        pieces = read(answer)
        taken = thread_time() - begin
        assert text_of(pieces) == answer
        return taken

    small = min(seconds(100_000) for _ in range(3))
    assert seconds(1_000_000) < 50 * small
