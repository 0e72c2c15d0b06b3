"""Whether a saved checkpoint reads strings it has never seen: through the engine, as anybody would ask it."""

from dataclasses import dataclass
from pathlib import Path

from pecia_core.recognition import Delta, RecognizeOptions, Sampling
from pecia_ocr.engines.base import CancelToken
from pecia_ocr.engines.deepseek.engine import DeepseekEngine

from training.drawn import LEVELS, SHORTEST_HELD_OUT, Layout, Level, lay_out, paint
from training.lessons import SIZE

_FIRST_SEED = 900_000_000_000  # further than any batch
_LONGEST_ANSWER = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many pages, how many read without a mistake, and some of those with one: (said, read)."""

    pages: int
    exact: int
    wrong: tuple[tuple[str, str], ...]

    @property
    def share(self) -> float:
        """Of pages read without a mistake."""
        return self.exact / self.pages


def papers(count: int, level: Level) -> list[Layout]:
    """Pages to examine with, always the same: strings that are held out."""
    unseen = level.length[1] >= SHORTEST_HELD_OUT
    return [lay_out(_FIRST_SEED + number, level, unseen=unseen) for number in range(count)]


def examine(folder: Path, count: int, level: int = len(LEVELS) - 1, device: str = "cpu") -> Outcome:
    """Let the engine read so many pages of one of `LEVELS`; blanks around an answer do not count.

    Raises:
        Unavailable: the folder holds no checkpoint that loads.
    """
    engine = DeepseekEngine(folder=str(folder), device=device, slots=1, max_tokens=_LONGEST_ANSWER)
    engine.load(lambda _: None)
    pairs = [(page.text, _read(engine, page)) for page in papers(count, LEVELS[level])]
    wrong = tuple(pair for pair in pairs if pair[0] != pair[1])
    return Outcome(len(pairs), len(pairs) - len(wrong), wrong[:20])


def _read(engine: DeepseekEngine, page: Layout) -> str:
    options = RecognizeOptions(model_size=SIZE, sampling=Sampling(temperature=0.0))
    events = engine.read(paint(page), options, CancelToken())
    return "".join(event.text for event in events if isinstance(event, Delta)).strip()
