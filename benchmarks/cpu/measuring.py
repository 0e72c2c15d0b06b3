"""The rounds: every contender reads the same pictures, in an order that rotates from round to round."""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from pecia_ocr.settings import worker_environment
from PIL import Image

from benchmarks.cpu.contenders import OURS, Contender
from benchmarks.cpu.crew import Crew, Pass, Reading
from benchmarks.quality.dataset import DataSet, Sample
from benchmarks.rivals.venvs import OURS as OUR_PYTHON
from benchmarks.rivals.venvs import ROOT

RECEIPTS, PAGES = "receipts", "pages"
_GROUPS = {"receipt": RECEIPTS, "page": PAGES, "table": PAGES}


@dataclass(slots=True)
class Run:
    """All that was measured.

    `passes`: group -> contender -> one a round; `readings`: contender -> picture -> its lines;
    `dropped`: contender -> why it could not take part; `ended`: contender -> processes that ended and were
    started again. At most `most_timed` pictures of a group are timed, 0 = all.
    """

    data: DataSet
    passes: dict[str, dict[str, list[Pass]]] = field(default_factory=dict)
    readings: dict[str, dict[str, Reading]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    scripts: dict[str, Pass] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    ended: dict[str, list[str]] = field(default_factory=dict)
    most_timed: int = 0
    rounds: int = 0
    script_data: DataSet | None = None
    peak: dict[str, Any] = field(default_factory=dict)
    peak_together: float = 0.0
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    load: float = 0.0

    @property
    def contenders(self) -> list[str]:
        """Names, ours first."""
        return list(self.readings)

    def pictures(self, group: str) -> list[Sample]:
        """Those of a group, the largest first: processes of one contender then end at about the same time."""
        found = [sample for sample in self.data.samples if _GROUPS.get(sample.kind) == group]
        found.sort(key=lambda sample: -_area(sample.picture))
        most = self.most_timed or max(1, len(found))
        step = max(1, -(-len(found) // most))
        return found[step // 2 :: step]  # as many large ones as small ones


def measure(run: Run, contenders: Sequence[Contender], rounds: int, seconds: float = float("inf")) -> None:
    """Read everything once for what it says and to warm up, then the rounds.

    After `seconds` no further round begins; the first one always does.
    """
    end = monotonic() + seconds
    with ExitStack() as stack:
        crews = []
        for contender in contenders:
            _say(f"{contender.name}: starting, and reading everything once")
            try:
                crew = stack.enter_context(Crew(contender))
                _warm_up(run, crew)
            except RuntimeError as error:
                run.dropped[contender.name] = str(error)
                _say(f"{contender.name} is left out: {error}")
            else:
                crews.append(crew)
        for number in range(rounds):
            if number and monotonic() > end:
                break
            run.rounds = number + 1
            turn = number % max(1, len(crews))
            for crew in (*crews[turn:], *crews[:turn]):
                _round(run, crew, f"round {number + 1} of {rounds}")
        if OURS in run.readings and run.script_data:
            _scripts(run, next(crew for crew in crews if crew.contender.name == OURS))


def _warm_up(run: Run, crew: Crew) -> None:
    samples = sorted(run.data.samples, key=lambda sample: -_area(sample.picture))
    found = _read(run, crew, [sample.picture for sample in samples])
    names = [sample.name for sample in samples]
    run.readings[crew.contender.name] = dict(zip(names, found.readings, strict=True))
    run.failed[crew.contender.name] = found.failed


def _round(run: Run, crew: Crew, label: str) -> None:
    for group in (RECEIPTS, PAGES):
        if samples := run.pictures(group):
            found = _read(run, crew, [sample.picture for sample in samples])
            run.passes.setdefault(group, {}).setdefault(crew.contender.name, []).append(found)
            _say(f"{label}: {crew.contender.name}, {len(samples)} {group}: {found.wall_s:.1f} s")


def _read(run: Run, crew: Crew, files: list[Path]) -> Pass:
    """Read the files. A contender whose process ends is started anew, warmed up, and has one more try."""
    try:
        return crew.read(files)
    except RuntimeError as error:
        name = crew.contender.name
        run.ended.setdefault(name, []).append(str(error))
        _say(f"{name} is started again: {error}")
        crew.start()
        crew.read(files)
        return crew.read(files)


def _scripts(run: Run, crew: Crew) -> None:
    """Chinese and mixed pages, with and without saying so; read once before, so that both are warm."""
    if run.script_data is None:
        return
    files = [sample.picture for sample in run.script_data.samples]
    for languages in ((), ("zh",)):
        crew.read(files, languages)
        run.scripts["zh" if languages else "auto"] = crew.read(files, languages)


def look_inside(run: Run) -> None:
    """The peak of this machine, and a profile of each group; our engine only."""
    _say("measuring what the processor can do at most")
    run.peak = _asked("peak")
    both = [_started("peak") for _ in range(2)]
    run.peak_together = sum(json.loads(process.communicate()[0])["gflops"] for process in both)
    for group in (RECEIPTS, PAGES):
        if samples := run.pictures(group):
            _say(f"profiling {len(samples)} {group}")
            run.profiles[group] = _asked("profiling", *(str(sample.picture) for sample in samples))


def _asked(module: str, *arguments: str) -> dict[str, Any]:
    said, _ = (process := _started(module, *arguments)).communicate()
    if process.returncode:
        raise RuntimeError(f"benchmarks.cpu.{module} ended with {process.returncode}.")
    answer: dict[str, Any] = json.loads(said)
    return answer


def _started(module: str, *arguments: str) -> subprocess.Popen[str]:
    command = [str(OUR_PYTHON), "-m", f"benchmarks.cpu.{module}", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=worker_environment(), stdout=subprocess.PIPE, text=True)


def _area(picture: Path) -> int:
    with Image.open(picture) as opened:
        return opened.width * opened.height


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
