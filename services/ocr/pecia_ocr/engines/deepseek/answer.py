"""One answer of the model in this process: tokens in, text and blocks out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from pecia_core.recognition import Delta, RecognizeOptions
from tokenizers.decoders import DecodeStream

from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.tickets import Step
from pecia_ocr.engines.deepseek.transcript import Said, Transcript


class Answer:
    """Turns tokens into text, and follows it."""

    def __init__(
        self, loaded: LoadedModel, sizes: Sequence[tuple[int, int]], options: RecognizeOptions
    ) -> None:
        """Nothing is written yet; `sizes` = width and height of each page, pixels."""
        self._tokenizer = loaded.tokenizer
        self._end = loaded.profile.eos_token_id
        # Boxes and tables are written in special tokens.
        self._decoding = DecodeStream(skip_special_tokens=False)
        self.transcript = Transcript(loaded.profile, sizes[0], options, sizes[1:])
        self.tokens = 0

    def more(self, step: Step) -> Iterator[Said]:
        """What is certain after one more step."""
        yield from joined(self._written(step))

    def _written(self, step: Step) -> Iterator[Said]:
        for token, logprob in zip(step.token_ids, step.logprobs, strict=True):
            if not self.transcript.is_over:
                self.tokens += 1
                yield from self.transcript.write(self._text(token), (token,), logprob)

    def _text(self, token: int) -> str:
        """Nothing for the end, nor for a token that ends in the middle of a character."""
        if token == self._end:
            return ""
        return self._decoding.step(self._tokenizer, token) or ""


def joined(said: Iterable[Said]) -> Iterator[Said]:
    """Text that follows text in one piece: each has a way to go, through two processes to the caller."""
    for is_text, events in groupby(said, key=lambda event: isinstance(event, Delta)):
        if is_text:
            yield Delta("".join(event.text for event in events if isinstance(event, Delta)))
        else:
            yield from events
