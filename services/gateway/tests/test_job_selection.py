"""Page ranges as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.errors import InvalidRequest
from pecia_gateway.jobs.selection import numbers, parsed


@pytest.mark.parametrize(
    ("text", "count", "chosen"),
    [
        ("", 3, (1, 2, 3)),
        ("   ", 2, (1, 2)),
        ("2", 3, (2,)),
        ("1-3,7,10-", 12, (1, 2, 3, 7, 10, 11, 12)),
        ("-2", 3, (1, 2)),
        (" 3 , 1 - 2 ", 3, (1, 2, 3)),
        ("2,2,1-3,3", 3, (1, 2, 3)),
        ("10000", 10_000, (10_000,)),
    ],
)
def test_ranges_choose_pages(text: str, count: int, chosen: tuple[int, ...]) -> None:
    """Ascending and each once, however they are written."""
    assert numbers(parsed(text), count) == chosen


@pytest.mark.parametrize(
    "text",
    ["0", "a", "1,,2", "3-1", "1-2-3", "-", "1;2", "--", "1.5", "٣", "9" * 30, "1\n2", ",", "0-3", "-0"],
)
def test_nonsense_is_named(text: str) -> None:
    """The answer repeats the part that is wrong, and says how it is written."""
    with pytest.raises(InvalidRequest, match="1-3,7,10-") as refused:
        parsed(text)
    assert (refused.value.param, refused.value.code) == ("pages", "unsupported_value")


@pytest.mark.parametrize(
    ("text", "named"), [("4", "4"), ("2-4", "2-4"), ("1,5-", "5-"), ("1-999999999", "1-999999999")]
)
def test_a_range_outside_the_document_is_named(text: str, named: str) -> None:
    """At once, without making a list of a thousand million numbers."""
    with pytest.raises(InvalidRequest, match=f"pages: {named} leads out of the document, which has 3 pages"):
        numbers(parsed(text), 3)


def test_there_are_only_so_many_ranges() -> None:
    """A field of 64 KiB could hold thirty thousand."""
    with pytest.raises(InvalidRequest, match=r"more than 1,000 ranges"):
        parsed(",".join(["1"] * 1001))


@given(st.sets(st.integers(1, 300), min_size=1))
def test_every_choice_can_be_written(chosen: set[int]) -> None:
    """One by one, in any order."""
    assert set(numbers(parsed(",".join(map(str, chosen))), 300)) == chosen
