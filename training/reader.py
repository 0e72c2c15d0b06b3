"""`make train-reader`: a checkpoint of a few megabytes that reads short printed strings."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import torch
from pecia_ocr.cores import usable_cores
from pecia_ocr.engines.deepseek import testing
from pecia_ocr.engines.deepseek.loader import load_model

from training.beginning import begin
from training.course import Course, Stage, Ways
from training.dimensions import READER
from training.drawn import LEVELS
from training.examination import examine
from training.pupil import Pupil
from training.saving import save

_ROOT = Path(__file__).parents[1]
_SHARES = {"words": 0.25, "eyes": 0.43, "both": 0.32}
_PAGES = {"words": 32, "eyes": 8, "both": 8}
_RATES = {"words": 1e-3, "eyes": 1.5e-3, "both": 8e-4}
_EPILOG = """
examples:
  make train-reader                             hours on two cores; goes on where it was left
  make train-reader MINUTES=30                  as far as half an hour goes
  make train-reader ARGS=--examine              saves what there is and reads unseen strings with it
  make train-reader OUT=build/other ARGS=--fresh

OUT holds state.pt (to go on with), log.csv, and the checkpoint: config.json, tokenizer.json,
model.safetensors, sha256sums. STEPS must be the same when going on.
"""


def main(arguments: list[str]) -> int:
    """Train, save, examine."""
    asked = _parser().parse_args(arguments)
    out = Path(asked.out)
    torch.set_num_threads(asked.threads or usable_cores())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(asked.seed)
    with TemporaryDirectory() as folder:  # beside the checkpoint they would be files nobody vouches for
        start = testing.write(Path(folder), READER, asked.seed)
        pupil = Pupil(load_model(start, dtype=torch.float32, device=device))
    begin(pupil.model, asked.seed)
    pause = Path(asked.pause_while) if asked.pause_while else None
    course = Course(pupil, stages(asked.steps), Ways(out, asked.minutes, pause, seed=asked.seed))
    if asked.fresh:
        course.forget()
    course.resume()
    done = course.stage == len(course.stages)
    with suppress(KeyboardInterrupt):
        done = done or (not asked.examine and course.run(_tell))
    save(pupil, READER, out)
    _tell(f"Saved in {out}.")
    if done or asked.examine:
        _examine(out, asked.papers, device)
    else:
        _tell("Not at the end yet: the same command goes on.")
    return 0


def stages(steps: int) -> tuple[Stage, ...]:
    """How so many steps are spent."""
    return tuple(
        Stage(name, max(1, round(share * steps)), _PAGES[name], _RATES[name])
        for name, share in _SHARES.items()
    )


def _examine(out: Path, papers: int, device: str) -> None:
    for level in range(len(LEVELS)):
        before = monotonic()
        outcome = examine(out, papers, level, device)
        took = (monotonic() - before) / outcome.pages
        _tell(f"Level {level}: {outcome.exact} of {outcome.pages} unseen pages exact, {took:.2f} s a page.")
        for wanted, read in outcome.wrong[:5]:
            _tell(f"  {wanted!r} was read as {read!r}")


def _tell(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "make train-reader",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="MINUTES: of this run at most")
    parser.add_argument("--steps", type=int, default=14_000, help="STEPS: of the whole course; 14000")
    parser.add_argument("--out", default=str(_ROOT / "build" / "reader"), help="OUT: folder; build/reader")
    parser.add_argument("--fresh", action="store_true", help="begin anew, even where a state was kept")
    parser.add_argument("--resume", action="store_true", help="go on where the last run ended; always done")
    parser.add_argument("--examine", action="store_true", help="do not train: save and examine what there is")
    parser.add_argument("--papers", type=int, default=200, help="pages to examine with, of each level; 200")
    parser.add_argument("--pause-while", help="compute nothing while this file exists")
    parser.add_argument("--threads", type=int, default=0, help="cores to compute on; all")
    parser.add_argument("--seed", type=int, default=0, help="another one: other weights, other pages")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
