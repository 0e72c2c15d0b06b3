"""Which lines speak of a text the caller is looking for."""

import unicodedata

from rapidfuzz import fuzz

_ALIKE = 80.0  # per cent of characters: one wrong in five, as reading errors are
_MIN_SHARE = 0.5  # of the text looked for: a line with less of it is only a word in common


def mentions(line: str, wanted: str) -> bool:
    """Whether `line` holds `wanted`, or a good part of it, give or take reading errors."""
    said, sought = _plain(line), _plain(wanted)
    if not sought or len(said) < _MIN_SHARE * len(sought):
        return False
    return fuzz.partial_ratio(said, sought) >= _ALIKE


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
