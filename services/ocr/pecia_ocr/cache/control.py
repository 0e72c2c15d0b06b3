"""What a caller says about kept results, in the words of HTTP's Cache-Control."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class CacheControl:
    """Whether a kept result may answer, and whether the new one may be kept."""

    may_answer: bool = True
    may_keep: bool = True

    @classmethod
    def parsed(cls, header: str) -> Self:
        """From a header; words that mean nothing here are passed over.

        `no-cache`: read the page now; its result takes the place of the old one.
        `no-store`: the same, and leave nothing behind.
        """
        words = {word.strip().lower() for word in header.split(",")}
        return cls(may_answer=not words & {"no-cache", "no-store"}, may_keep="no-store" not in words)
