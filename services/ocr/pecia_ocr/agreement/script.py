"""The text of a model's blocks, word by word, each with who of the lines seen on the page is its owner."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

# Scripts written without spaces: a line may end behind any of their signs.
_UNSPACED = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_ENDS = re.compile(r"[\x00\n]")
_MARKUP = re.compile(r"[\s#*_|\\`~]+")
# Between two blocks, and where a word has an owner: no line holds them.
_APART, _TAKEN = "\x01", "\x02"


def compact(text: str) -> str:
    """What is compared: no white space, nothing that may be Markdown, no case, one form of each sign."""
    return _MARKUP.sub("", unicodedata.normalize("NFKC", text).casefold())


@dataclass(slots=True)
class Word:
    """A word of block `block`, on a row or in a cell `row` of it; `begin` to `end` in the block's text.

    `start`: where its `letters` begin in the script's. `owner`: a line's number.
    """

    block: int
    row: int
    begin: int
    end: int
    letters: str
    start: int
    owner: int | None = None


class Script:
    """All words of some blocks, in the order they were written."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Nobody owns anything yet; `texts` = of each block, "" = not to be compared."""
        # Tags part cells; their room is kept, so that places in the text stay what they are.
        self._texts = [_TAG.sub(lambda tag: "\x00" * len(tag[0]), text) for text in texts]
        self.words: list[Word] = []
        at = 0
        for block, text in enumerate(self._texts):
            for word in _words(block, text, at):
                self.words.append(word)
                at += len(word.letters)
            at += 1
        self.letters = self._joined()

    def _joined(self) -> str:
        """Every letter at its place; between blocks, and where it has an owner, one that no line has."""
        parts: list[str] = []
        at = 0
        for word in self.words:
            parts.append(_APART * (word.start - at))
            parts.append(word.letters if word.owner is None else _TAKEN * len(word.letters))
            at = word.start + len(word.letters)
        return "".join(parts)

    @property
    def length(self) -> int:
        """Letters of all words."""
        return sum(len(word.letters) for word in self.words)

    def take(self, start: int, end: int, owner: int) -> bool:
        """Give a line the words that lie at least by half between two places of `letters`; False = none."""
        taken = [
            word
            for word in self.words
            if word.owner is None and 2 * _shared(word, start, end) >= len(word.letters) > 0
        ]
        for word in taken:
            word.owner = owner
        if taken:
            self.letters = self._joined()
        return bool(taken)

    def occurrences(self, needle: str) -> Iterator[int]:
        """Where words that nobody owns begin that say exactly this, no letter more."""
        starts = {word.start for word in self.words}
        ends = {word.start + len(word.letters) for word in self.words}
        start = self.letters.find(needle)
        while start >= 0:
            if start in starts and start + len(needle) in ends:
                yield start
            start = self.letters.find(needle, start + 1)

    def share_out(self, most: Sequence[int]) -> None:
        """Give words that nobody found to their neighbour on the row, the one before if there is one.

        Args:
            most: letters that a line gets at most in this way, by its number: no more than a reading error.
        """
        left = list(most)
        for _, row in groupby(self.words, key=lambda word: (word.block, word.row)):
            words = list(row)
            _inherit(words, left)
            _inherit(words[::-1], left)

    def parts(self, block: int) -> Iterator[list[Word]]:
        """The words of a block, of each owner in the order of its first; those of nobody row by row."""
        groups: dict[tuple[int | None, int], list[Word]] = {}
        for word in self.words:
            if word.block == block:
                groups.setdefault((word.owner, word.row if word.owner is None else -1), []).append(word)
        yield from groups.values()

    def text(self, words: Sequence[Word]) -> str:
        """The words as they were written, what stood between neighbours included; none of the markup."""
        pieces, last = [], None
        for word in words:
            text = self._texts[word.block]
            if last is not None:
                pieces.append(
                    text[last.end : word.begin] if not _ENDS.search(text, last.end, word.begin) else " "
                )
            pieces.append(text[word.begin : word.end])
            last = word
        return " ".join("".join(pieces).split())


def _words(block: int, text: str, at: int) -> Iterator[Word]:
    row = 0
    last = 0
    for found in _WORD.finditer(text.replace("\x00", " ")):
        row += text.count("\n", last, found.start()) + ("\x00" in text[last : found.start()])
        last = found.end()
        letters = compact(found[0])
        if letters:
            yield Word(block, row, found.start(), found.end(), letters, at)
            at += len(letters)


def _shared(word: Word, start: int, end: int) -> int:
    return min(end, word.start + len(word.letters)) - max(start, word.start)


def _inherit(words: Iterable[Word], left: list[int]) -> None:
    owner: int | None = None
    for word in words:
        if word.owner is not None:
            owner = word.owner
        elif owner is not None and len(word.letters) <= left[owner]:
            left[owner] -= len(word.letters)
            word.owner = owner
        else:
            owner = None
