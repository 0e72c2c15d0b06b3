"""Which pages of a document: `1-3,7,10-` as people write it. Numbers count from 1."""

import re
from dataclasses import dataclass

from pecia_core.errors import InvalidRequest

_RANGE = re.compile(r"(?P<first>[0-9]{1,9})?(?P<dash>\s*-\s*)?(?P<last>[0-9]{1,9})?")
_MOST_RANGES = 1000
_PARAM = "pages"
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class PageRange:
    """From `first` to `last`, both in it; None = to the end."""

    first: int
    last: int | None

    def __str__(self) -> str:
        if self.last == self.first:
            return str(self.first)
        return f"{self.first}-{'' if self.last is None else self.last}"


def parsed(text: str) -> tuple[PageRange, ...]:
    """The ranges of a text, at least one; nothing at all means all pages.

    Raises:
        InvalidRequest: naming the part that is no range.
    """
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) > _MOST_RANGES:
        raise InvalidRequest(f"pages holds more than {_MOST_RANGES:,} ranges: join them.", param=_PARAM)
    if not text.strip():
        return (PageRange(1, None),)
    return tuple(_range(piece) for piece in pieces)


def numbers(ranges: tuple[PageRange, ...], count: int) -> tuple[int, ...]:
    """The numbers of these pages in a document of `count`, ascending, each once.

    Raises:
        InvalidRequest: naming the range that leads out of the document.
    """
    chosen: set[int] = set()
    for one in ranges:
        last = count if one.last is None else one.last
        if one.first > count or last > count:
            has = "1 page" if count == 1 else f"{count:,} pages"
            raise InvalidRequest(
                f"pages: {one} leads out of the document, which has {has}.",
                code="unsupported_value",
                param=_PARAM,
            )
        chosen.update(range(one.first, last + 1))
    return tuple(sorted(chosen))


def _range(piece: str) -> PageRange:
    found = _RANGE.fullmatch(piece)
    if not found or not (found["first"] or found["last"]):
        raise _wrong(piece, "is no page and no range")
    first = int(found["first"] or 1)
    last = int(found["last"]) if found["last"] else None
    if not found["dash"]:
        last = first
    if first < 1 or (last is not None and last < first):
        raise _wrong(piece, "counts from 1 upwards")
    return PageRange(first, last)


def _wrong(piece: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"pages: {piece[:_SHOWN]!r} {why}. Write it like 1-3,7,10-.", code="unsupported_value", param=_PARAM
    )
