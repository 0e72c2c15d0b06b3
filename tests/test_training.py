"""The course that teaches a small checkpoint to read: what it draws, that it steps, goes on and saves."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from pecia_core.errors import Unavailable
from pecia_ocr.engines.deepseek import testing
from pecia_ocr.engines.deepseek.loader import load_model

from training import course as courses
from training.course import Course, Stage, Ways
from training.dimensions import READER, TOY
from training.drawn import ALPHABET, LEVELS, SHEETS, Level, held_out, lay_out, paint
from training.examination import examine, papers
from training.lessons import Order, cells_of, lessons
from training.pupil import Pupil
from training.saving import published, save

STAGES = (Stage("words", 2, 2, 1e-3), Stage("eyes", 1, 2, 1e-3), Stage("both", 1, 2, 1e-3))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that has learnt nothing."""
    return testing.write(tmp_path_factory.mktemp("start"), TOY)


def pupil(start: Path) -> Pupil:
    """One that has learnt nothing; the same each time."""
    return Pupil(load_model(start, dtype=torch.float32))


def figures(out: Path) -> list[tuple[str, ...]]:
    """The log without its times."""
    with (out / courses.LOG).open() as file:
        return [tuple(row[:5]) for row in csv.reader(file)]


@pytest.mark.parametrize("level", [*LEVELS, *SHEETS])
def test_a_seed_always_draws_the_same(level: Level) -> None:
    """Text, places and pixels are the seed's; another seed draws another page."""
    first, again, other = lay_out(5, level), lay_out(5, level), lay_out(6, level)
    assert first == again
    assert np.array_equal(paint(first), paint(again))
    assert (first.text, first.marks) != (other.text, other.marks)


def test_marks_lie_on_ink() -> None:
    """Around the place that a character is said to have, the page is not blank; elsewhere it is."""
    for seed in range(20):
        layout = lay_out(seed, LEVELS[1])
        dark = paint(layout)[:, :, 0] < 150
        left, reach = dark.copy(), layout.em // 2
        for mark in layout.marks:
            x, y = round(mark.x * layout.width), round(mark.y * layout.height)
            assert dark[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach].any()
            left[max(0, y - layout.em) : y + layout.em, max(0, x - layout.em) : x + layout.em] = False
        assert not left.any()


def test_cells_spell_the_text() -> None:
    """Read row by row, what stands in the cells is the text, on turned pages with several lines too.

    Narrow characters that are too many for their cell are left out, which is rare.
    """
    layouts = [lay_out(seed, SHEETS[-1] if seed % 2 else LEVELS[-1]) for seed in range(200)]
    spelt = ["".join(ALPHABET[index - 1] for index in cells_of(page).flatten() if index) for page in layouts]
    wanted = [page.text.replace("\n", "") for page in layouts]
    assert all(is_part(short, whole) for short, whole in zip(spelt, wanted, strict=True))
    assert sum(short == whole for short, whole in zip(spelt, wanted, strict=True)) > 190


def is_part(short: str, whole: str) -> bool:
    """Whether it is the whole with some characters left out."""
    left = iter(whole)
    return all(character in left for character in short)


def test_examination_strings_are_never_trained_on() -> None:
    """Every paper is of a string that is held out, and no lesson of any level is."""
    assert all(held_out(page.text) for page in papers(200, LEVELS[-1]))
    trained = [line for level in [*LEVELS, *SHEETS] for seed in range(150) for line in lines(seed, level)]
    assert not any(held_out(line) for line in trained)
    assert 0.05 < sum(held_out(str(number)) for number in range(1000, 3000)) / 2000 < 0.15


def lines(seed: int, level: Level) -> list[str]:
    """What stands on a page, one by one."""
    return lay_out(seed, level).text.split("\n")


def test_batches_are_their_numbers() -> None:
    """The same order gives the same pages, the next one others; eyes are shown what the engine shows."""
    order = Order(3, 2, LEVELS[2], painted=True)
    first, again = lessons(order), lessons(order)
    assert [page.text for page in first] == [page.text for page in again]
    assert first[0].views is not None
    assert first[0].views.overview.shape == (512, 512, 3)
    assert [page.text for page in lessons(Order(4, 2, LEVELS[2], painted=True))] != [
        page.text for page in first
    ]


def test_the_same_steps_with_and_without_a_break(start: Path, tmp_path: Path) -> None:
    """Left after every step and resumed, a course has the losses of one that was never left."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert Course(pupil(start), STAGES, Ways(whole, every=(1, 100))).run(lambda _: None)
    runs = 0
    for _ in range(20):
        course = Course(pupil(start), STAGES, Ways(broken, minutes=0, every=(1, 100)))
        course.resume()
        runs += 1
        if course.run(lambda _: None):
            break
    assert runs == 4
    assert figures(whole) == figures(broken)


def test_a_trained_model_is_saved_as_published(start: Path, tmp_path: Path) -> None:
    """What is saved has each tensor of the published names, loads, is checked, and can be examined."""
    learnt = pupil(start)
    state = learnt.model.state_dict()
    kept = published(state, TOY)
    for name, tensor in testing.weights(TOY).items():
        if "patch_embedding" not in name:
            assert torch.equal(kept[name], tensor), name
    folder = save(learnt, TOY, tmp_path / "saved")
    outcome = examine(folder, 2, 0)
    assert outcome.pages == 2
    assert len(outcome.wrong) == 2 - outcome.exact
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    with pytest.raises(Unavailable, match=r"config\.json"):
        load_model(folder)


def test_the_reader_is_small() -> None:
    """Half-precision weights of at most 8 MB."""
    count = sum(np.prod(shape) for shape in testing.shapes(READER).values())
    assert 2 * count < 8e6
