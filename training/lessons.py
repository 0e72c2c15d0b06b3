"""Batches of pages, by number: the same number, the same batch; drawn in a process beside the training."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from pecia_core.vocabulary import ModelSize
from pecia_ocr.engines.deepseek.profiles import PROFILES, Family
from pecia_ocr.engines.deepseek.views import ViewPlan, Views, plan_views, render

from training.drawn import ALPHABET, Layout, Level, lay_out, paint

SIZE = ModelSize.TINY
_PROFILE = PROFILES[Family.V1]
PLAN = plan_views(1, 1, SIZE, _PROFILE)
SIDE = PLAN.global_px // 64  # tokens across, and down
DEPTH = 4  # characters of one token that are told apart
_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Lesson:
    """One page.

    `cells`: [SIDE * SIDE, DEPTH], for each token of the picture the characters whose middle lies there, in
    reading order: places in the alphabet from 1 on, 0 = none. `views` is None where the page is not painted.
    """

    text: str
    cells: NDArray[np.int64]
    views: Views | None
    plan: ViewPlan = PLAN


@dataclass(frozen=True, slots=True)
class Order:
    """What to draw: pages of `level`; `painted`: or only laid out. `seed`: another one, other pages."""

    number: int
    count: int
    level: Level
    painted: bool
    seed: int = 0


def lessons(order: Order) -> list[Lesson]:
    """The pages of one batch."""
    first = (order.seed * 1_000_003 + order.number) * 4096
    return [
        _lesson(lay_out(first + index, order.level), painted=order.painted) for index in range(order.count)
    ]


def cells_of(layout: Layout) -> NDArray[np.int64]:
    """See `Lesson.cells`; what does not fit into a cell is left out."""
    cells = np.zeros((SIDE * SIDE, DEPTH), np.int64)
    filled = [0] * len(cells)
    for mark in layout.marks:
        if not (0 <= mark.x < 1 and 0 <= mark.y < 1):
            continue
        cell = int(mark.y * SIDE) * SIDE + int(mark.x * SIDE)
        if filled[cell] < DEPTH:
            cells[cell, filled[cell]] = 1 + ALPHABET.index(mark.character)
            filled[cell] += 1
    return cells


def ahead(orders: Iterator[Order]) -> Iterator[list[Lesson]]:
    """The batches of all orders, each drawn in another process while those before are learnt from."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        waiting: deque[Future[list[Lesson]]] = deque()
        for order in orders:
            waiting.append(pool.submit(lessons, order))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _lesson(layout: Layout, *, painted: bool) -> Lesson:
    return Lesson(layout.text, cells_of(layout), render(paint(layout), PLAN) if painted else None)
