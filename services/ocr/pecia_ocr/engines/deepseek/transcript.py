"""One answer while it is written: text in, text and blocks out, and when to stop."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pecia_core.document import Block
from pecia_core.recognition import Delta, RecognizeOptions
from pecia_core.vocabulary import FinishReason

from pecia_ocr.engines.deepseek.grammar import BlockPiece, Grammar, Piece, TextPiece
from pecia_ocr.engines.deepseek.guard import LoopDetector
from pecia_ocr.engines.deepseek.profiles import ModelProfile
from pecia_ocr.engines.deepseek.stops import Stops
from pecia_ocr.engines.deepseek.sureness import Sureness


class Transcript:
    """Follows what a model writes about one page, wherever the model runs."""

    def __init__(self, profile: ModelProfile, size: tuple[int, int], options: RecognizeOptions) -> None:
        """Begin.

        Args:
            profile: of the model.
            size: width and height of the page, pixels.
            options: what the caller wants.
        """
        self._grammar = Grammar(profile, *size, options.task_type)
        self._loop = LoopDetector()
        self._stops = Stops(options.sampling.stop)
        self._sureness = Sureness()
        self.reason: FinishReason | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is wanted, though the model would go on."""
        return self.reason is not None

    def write(
        self, text: str, tokens: Sequence[int] = (), logprob: float | None = None
    ) -> Iterator[Delta | Block]:
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
        elif self._loop.feed(tokens, text):
            self.reason = FinishReason.REPETITION

    def finish(self) -> Iterator[Delta | Block]:
        """What was held back, now that nothing more comes."""
        yield from self._said(self._grammar.feed(self._stops.finish()))
        yield from self._said(self._grammar.finish())

    def _said(self, pieces: list[Piece]) -> Iterator[Delta | Block]:
        for piece in pieces:
            if isinstance(piece, TextPiece):
                yield Delta(piece.text)
            elif isinstance(piece, BlockPiece):
                yield self._weighed(piece)

    def _weighed(self, piece: BlockPiece) -> Block:
        """The block with how sure the model was of it."""
        sure = self._sureness.between(piece.begin, piece.end)
        lines = tuple(replace(line, confidence=sure) for line in piece.block.lines)
        return replace(piece.block, confidence=sure, lines=lines)
