"""What the model writes, cut into marks and the text between them, however it arrives.

A mark is one of the control sequences of the grammar. Text is passed on as soon as it cannot be the
beginning of a mark or of an HTML tag; each character is looked at a bounded number of times.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """The control sequences, as they are spelled."""

    REF = "<|ref|>"
    REF_END = "<|/ref|>"
    DET = "<|det|>"
    DET_END = "<|/det|>"
    PAGE = "<PAGE>"


@dataclass(frozen=True, slots=True)
class Token:
    """A mark or a run of text; `length` counts the characters the model wrote for it."""

    mark: Mark | None
    text: str
    length: int


# LaTeX that few renderers know, and how the published code writes it instead.
_REPLACED = {r"\coloneqq": ":=", r"\eqqcolon": "=:"}
_LONGEST_COMMAND = max(map(len, _REPLACED))
_LONGEST_TAG = 100
# From a "<" to the end: a mark or an HTML tag that is not finished.
_UNFINISHED = re.compile(r"<\|?/?(?:[A-Za-z][A-Za-z0-9]*(?:\||[ \t][^<>\n]*)?)?\Z")


class Lexer:
    """Text in, tokens out; all `text` joined is what was fed, but for replaced commands."""

    def __init__(self, marks: frozenset[Mark]) -> None:
        """Know these marks; others are text."""
        self._pattern = re.compile("|".join(re.escape(word) for word in (*sorted(marks), *_REPLACED)))
        self._rest = ""

    def feed(self, text: str) -> list[Token]:
        """Everything that is certain now."""
        text = self._rest + text
        found = list(self._pattern.finditer(text))
        begin = _held_from(text, found[-1].end() if found else 0)
        self._rest = text[begin:]
        return self._tokens(text[:begin], found)

    def finish(self) -> list[Token]:
        """What was held back: it is text."""
        rest, self._rest = self._rest, ""
        return [Token(None, rest, len(rest))] if rest else []

    @staticmethod
    def _tokens(text: str, found: list[re.Match[str]]) -> list[Token]:
        tokens, at = [], 0
        for match in found:
            if match.start() > at:
                tokens.append(Token(None, text[at : match.start()], match.start() - at))
            word = match.group()
            replaced = _REPLACED.get(word)
            mark = Mark(word) if replaced is None else None
            tokens.append(Token(mark, replaced or word, len(word)))
            at = match.end()
        if len(text) > at:
            tokens.append(Token(None, text[at:], len(text) - at))
        return tokens


def _held_from(text: str, least: int) -> int:
    """Where the part begins that more text could turn into a mark, tag or command."""
    tag = text.rfind("<", max(least, len(text) - _LONGEST_TAG))
    if tag >= 0 and _UNFINISHED.match(text, tag):
        return tag
    command = text.rfind("\\", max(least, len(text) - _LONGEST_COMMAND))
    if command >= 0 and any(word.startswith(text[command:]) for word in _REPLACED):
        return command
    return len(text)
