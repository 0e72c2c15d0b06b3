"""The loop: steps of three stages, each with its own optimiser; can be left and gone on with at any time."""

import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.drawn import LEVELS, SHEETS, Level
from training.lessons import Lesson, Order, ahead
from training.pupil import Pupil

STATE = "state.pt"
LOG = "log.csv"
COLUMNS = ("stage", "step", "level", "loss", "right", "rate", "pages_per_second", "minutes")
_WARM_UP = 50
_EASY = {"words": 0.05, "eyes": 0.12, "both": 0.02}
_LEAST = 0.02  # of the learning rate, at the end
_LONGEST_GRADIENT = 1.0
_LOOK_AGAIN = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the three lessons of `Pupil`: how long, how many pages a step, how fast it learns."""

    name: str
    steps: int
    pages: int
    rate: float

    @property
    def levels(self) -> tuple[Level, ...]:
        """What its pages are like, from the easiest on."""
        return SHEETS if self.name == "eyes" else LEVELS

    def level(self, step: int) -> int:
        """Which of `levels`: a share of the steps for each of the easier ones, then the hardest."""
        return min(len(self.levels) - 1, int(step / (self.steps * _EASY[self.name])))

    def rate_at(self, step: int) -> float:
        """A warm-up, then half a cosine."""
        warm = min(1.0, (step + 1) / min(_WARM_UP, max(1, self.steps // 10)))
        return self.rate * warm * (_LEAST + (1 - _LEAST) * (1 + math.cos(math.pi * step / self.steps)) / 2)


@dataclass(frozen=True, slots=True)
class Ways:
    """How to go through a course.

    `out`: folder for the state and the log. `minutes`: of this run, at most. `pause_while`: a file; while it
    exists nothing is computed. `every`: steps between lines of the log, and between states kept.
    """

    out: Path
    minutes: float = math.inf
    pause_while: Path | None = None
    every: tuple[int, int] = (20, 200)
    seed: int = 0


class Course:
    """A pupil, its stages and how far it has come."""

    def __init__(self, pupil: Pupil, stages: tuple[Stage, ...], ways: Ways) -> None:
        """At the beginning; see `resume`."""
        self.pupil, self.stages, self.ways = pupil, stages, ways
        self.stage, self.step = 0, 0
        self._spent = 0.0  # seconds of runs before
        self._optimiser = self._fresh()

    def resume(self) -> None:
        """Go on where the last run in this folder ended; from the beginning where there was none."""
        path = self.ways.out / STATE
        if not path.exists():
            return
        kept: dict[str, Any] = torch.load(path, map_location=self.pupil.loaded.device, weights_only=True)
        self.pupil.load_state_dict(kept["pupil"])
        self.stage, self.step, self._spent = kept["stage"], kept["step"], kept["spent"]
        self._optimiser = self._fresh()
        self._optimiser.load_state_dict(kept["optimiser"])

    def forget(self) -> None:
        """Remove what earlier runs in this folder have left."""
        for name in (STATE, LOG):
            (self.ways.out / name).unlink(missing_ok=True)

    def run(self, told: Callable[[str], None]) -> bool:
        """Go on until the end, or as long as allowed; whether the end was reached."""
        if self.stage == len(self.stages):
            return True
        started, record = time.monotonic(), _Record(self.ways.out)
        batches = ahead(self._orders())
        try:
            for batch in batches:
                self._wait(told)
                stage, before = self.stages[self.stage], time.monotonic()
                loss, right = self._learn(stage, batch)
                took = time.monotonic() - before
                record.note(loss, right, len(batch) / took)
                self.step += 1
                spent = self._spent + time.monotonic() - started
                if self.step % self.ways.every[0] == 0 or self.step == stage.steps:
                    told(record.write(stage, self.step, spent))
                over = time.monotonic() - started > 60 * self.ways.minutes
                if over or self.step % self.ways.every[1] == 0 or self.step == stage.steps:
                    self._advance(stage)
                    self._keep(spent)
                if over:
                    break
        finally:
            batches.close()  # type: ignore[attr-defined]  # a generator
        return self.stage == len(self.stages)

    def _orders(self) -> Iterator[Order]:
        """From where the course stands, asked for before they are learnt from."""
        step = self.step
        for number, stage in enumerate(self.stages[self.stage :], self.stage):
            for at in range(step, stage.steps):
                seed = 1 + 16 * self.ways.seed + number
                yield Order(
                    at, stage.pages, stage.levels[stage.level(at)], painted=stage.name != "words", seed=seed
                )
            step = 0

    def _learn(self, stage: Stage, batch: list[Lesson]) -> tuple[float, float]:
        device = self.pupil.loaded.device.type
        for group in self._optimiser.param_groups:
            group["lr"] = stage.rate_at(self.step)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            if stage.name == "words":
                loss, right = self.pupil.words(batch, self.step)
            else:
                loss, right = (self.pupil.eyes if stage.name == "eyes" else self.pupil.both)(batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.pupil.parameters(), _LONGEST_GRADIENT)
        self._optimiser.step()
        return loss.item(), right

    def _advance(self, stage: Stage) -> None:
        if self.step == stage.steps:
            self.stage, self.step = self.stage + 1, 0
            self._optimiser = self._fresh()

    def _fresh(self) -> torch.optim.AdamW:
        """Matrices decay, vectors do not."""
        weights = list(self.pupil.parameters())
        groups = [
            {"params": [w for w in weights if w.ndim > 1], "weight_decay": 0.01},
            {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))

    def _keep(self, spent: float) -> None:
        """Whole or not at all."""
        kept = {
            "pupil": self.pupil.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "stage": self.stage,
            "step": self.step,
            "spent": spent,
        }
        partial = self.ways.out / f"{STATE}.partial"
        torch.save(kept, partial)
        partial.replace(self.ways.out / STATE)

    def _wait(self, told: Callable[[str], None]) -> None:
        file = self.ways.pause_while
        if file is not None and file.exists():
            told(f"Paused while {file} exists.")
            while file.exists():
                time.sleep(_LOOK_AGAIN)


class _Record:
    """The log: a line has the means of the steps since the line before."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._path = out / LOG
        self._since: list[tuple[float, ...]] = []  # the last line
        if not self._path.exists():
            self._append(COLUMNS)

    def note(self, *figures: float) -> None:
        self._since.append(figures)

    def write(self, stage: Stage, step: int, spent: float) -> str:
        loss, right, speed = (sum(column) / len(self._since) for column in zip(*self._since, strict=True))
        self._since = []
        level = str(stage.level(step - 1))
        row = (stage.name, str(step), level, f"{loss:.4f}", f"{right:.4f}", f"{stage.rate_at(step - 1):.2e}",
               f"{speed:.1f}", f"{spent / 60:.1f}")  # fmt: skip
        self._append(row)
        return "  ".join(f"{name} {value}" for name, value in zip(COLUMNS, row, strict=True))

    def _append(self, row: tuple[str, ...]) -> None:
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
