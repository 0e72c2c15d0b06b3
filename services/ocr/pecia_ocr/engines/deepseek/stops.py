"""Words at which a caller wants the answer to end."""

from collections.abc import Sequence


class Stops:
    """Passes text on up to the first stop word, which is left out; what could become one is held back."""

    def __init__(self, words: Sequence[str]) -> None:
        """Know the words; empty ones are none."""
        self._words = tuple(word for word in words if word)
        self._longest = max(map(len, self._words), default=1)
        self._rest = ""
        self.reached = False

    def feed(self, text: str) -> str:
        """What is certain after more text."""
        if self.reached:
            return ""
        text = self._rest + text
        places = [place for word in self._words if (place := text.find(word)) >= 0]
        if places:
            self.reached, self._rest = True, ""
            return text[: min(places)]
        held = self._held(text)
        self._rest = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        """What was held back: no word came of it."""
        rest, self._rest = self._rest, ""
        return rest

    def _held(self, text: str) -> int:
        """Characters at the end that are the beginning of a word."""
        for count in range(min(self._longest - 1, len(text)), 0, -1):
            if any(word.startswith(text[len(text) - count :]) for word in self._words):
                return count
        return 0
