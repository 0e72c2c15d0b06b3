"""One answer while it is written: text in, text and blocks out, and when to stop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pecia_core.document import Block
from pecia_core.recognition import Delta, RecognizeOptions
from pecia_core.vocabulary import FinishReason

from pecia_ocr.engines.deepseek.grammar import BlockPiece, Grammar, PagePiece, Piece, TextPiece
from pecia_ocr.engines.deepseek.guard import LoopDetector
from pecia_ocr.engines.deepseek.profiles import ModelProfile
from pecia_ocr.engines.deepseek.stops import Stops
from pecia_ocr.engines.deepseek.sureness import Sureness


@dataclass(frozen=True, slots=True)
class NextPage:
    """What follows is about the next of several pages."""


Said = Delta | Block | NextPage


class Transcript:
    """Follows what a model writes about one page or several, wherever the model runs."""

    def __init__(
        self,
        profile: ModelProfile,
        size: tuple[int, int],
        options: RecognizeOptions,
        more_sizes: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Begin.

        Args:
            profile: of the model.
            size: width and height of the page, pixels.
            options: what the caller wants.
            more_sizes: of the pages behind the first, where several were shown.
        """
        self._grammar = Grammar(profile, *size, options.task_type, more_sizes)
        self._loop = LoopDetector()
        self._most_pages = 1 + len(more_sizes)
        self._stops = Stops(options.sampling.stop)
        self._sureness = Sureness()
        self.reason: FinishReason | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is wanted, though the model would go on."""
        return self.reason is not None

    @property
    def pages(self) -> int:
        """How many pages the model said it has come to."""
        return self._grammar.pages_begun

    @property
    def unmarked(self) -> bool:
        """Whether it wrote something before it said of which page."""
        return self._grammar.unmarked

    def write(self, text: str, tokens: Sequence[int] = (), logprob: float | None = None) -> Iterator[Said]:
        """What is certain after more of the answer.

        Args:
            text: as the model wrote it, marks included.
            tokens: the ids it came in, where they are known.
            logprob: natural logarithm of how probable they were, where that is known.
        """
        if logprob is not None:
            self._sureness.add(len(text), logprob)
        yield from self._said(self._grammar.feed(self._stops.feed(text)))
        if self._stops.reached:
            self.reason = FinishReason.STOP
        elif self._loop.feed(tokens, text) or self.pages > self._most_pages > 1:
            self.reason = FinishReason.REPETITION

    def finish(self) -> Iterator[Said]:
        """What was held back, now that nothing more comes."""
        yield from self._said(self._grammar.feed(self._stops.finish()))
        yield from self._said(self._grammar.finish())

    def _said(self, pieces: list[Piece]) -> Iterator[Said]:
        for piece in pieces:
            match piece:
                case TextPiece():
                    yield Delta(piece.text)
                case BlockPiece():
                    yield self._weighed(piece)
                case PagePiece():
                    yield NextPage()

    def _weighed(self, piece: BlockPiece) -> Block:
        """The block with how sure the model was of it."""
        sure = self._sureness.between(piece.begin, piece.end)
        lines = tuple(replace(line, confidence=sure) for line in piece.block.lines)
        return replace(piece.block, confidence=sure, lines=lines)
