"""`make bench-cpu`: its arithmetic on known numbers, and one round with our engine alone."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import drawn, machine
from benchmarks.cpu.calibration import deciles, expected_error
from benchmarks.cpu.contenders import OURS, OURS_AVX2, STOCK, all_contenders
from benchmarks.cpu.crew import Pass, Reading, ReadLine
from benchmarks.cpu.floor import floor, network_shares
from benchmarks.cpu.goals import Goal, all_goals
from benchmarks.cpu.judging import judged, silent_errors
from benchmarks.cpu.measuring import RECEIPTS, Run
from benchmarks.cpu.operations import gflop
from benchmarks.cpu.profiling import STEPS, Stopwatch
from benchmarks.cpu.report import render
from benchmarks.quality import dataset
from benchmarks.quality.scoring import Placed
from benchmarks.spread import Spread, percentile, ratios, spread

ROOT = Path(__file__).parents[1]


def test_ratios_are_taken_within_a_round() -> None:
    """A round in which everything took twice as long has the same ratio as the others."""
    assert ratios([10, 20, 12], [2, 4, 2]) == Spread(5, 5, 6)
    assert spread([3, 1, 2]) == Spread(2, 1, 3)
    assert spread([3, 1, 2]).shown(1) == "2.0 (1.0-3.0)"
    assert spread([3]).shown(1) == "3.0"
    assert percentile([4, 1, 3, 2], 0.5) == 3


def line(text: str, left: float, right: float, sure: float = 0.95) -> ReadLine:
    """A line 20 pixels high."""
    return ReadLine(Placed(text, left, 0, right, 20), sure)


TRUTH = (Placed("TOTAL", 0, 0, 50, 20), Placed("5.00", 100, 1, 140, 21), Placed("Tax", 0, 40, 30, 60))


@pytest.mark.parametrize(
    ("read", "right"),
    [
        ((line("Total", 0, 50), line("5.00", 100, 140)), [True, True]),
        ((line("TOTAL 5.00", 0, 140),), [True]),
        ((line("TOTAL 6.00", 0, 140),), [False]),
        ((line("TO", 0, 20), line("TAL", 21, 45)), [True, True]),
        ((line("T0", 0, 20),), [False]),
        ((line("logo", 200, 300),), []),
    ],
    ids=["as it is", "two in one", "one of two wrong", "in parts", "a wrong part", "no truth there"],
)
def test_a_line_is_judged_however_it_was_cut(read: Reading, right: list[bool]) -> None:
    """Lines may be cut otherwise than the truth; their text may not differ."""
    assert [ok for _, ok in judged(read, TRUTH)] == right


def test_a_silent_error_is_wrong_and_sure() -> None:
    """Neither a doubtful error nor a sure line that is right counts."""
    assert silent_errors([(0.95, False), (0.95, True), (0.9, False), (0.2, False)]) == 1


def test_calibration_of_honest_and_boastful_confidences() -> None:
    """ECE is near zero where confidence is the share of right lines, and the gap where it is not."""
    dice = random.Random(1)  # noqa: S311 - nothing secret
    honest = [(sure, dice.random() < sure) for sure in (dice.random() for _ in range(20_000))]
    assert expected_error(deciles(honest)) < 0.02
    boastful = [(1.0, number % 4 > 0) for number in range(1000)]
    assert expected_error(deciles(boastful)) == pytest.approx(0.25)
    assert [group.lines for group in deciles(boastful)] == [100] * 10
    assert deciles([(0.5, True)])[0].lines == 1
    assert deciles([]) == []


def test_the_floor_is_work_by_peak() -> None:
    """46.5 GFLOP for two pictures, on two cores of 50 GFLOP/s."""
    seconds = {"detect: network": 0.848, "recognise: network": 0.164}
    profile = {"gflop": {"detect": 42.4, "recognise": 4.1}, "pictures": 2, "seconds": seconds}
    least = floor(profile, 50, 2)
    assert least.gflop == pytest.approx(23.25)
    assert least.seconds == pytest.approx(0.2325)
    assert least.reached(0.465) == pytest.approx(50)
    assert network_shares(profile, 50) == pytest.approx((1.0, 0.5))


def test_operations_are_counted_from_the_network() -> None:
    """The layers of a small network, by hand; a batch of two takes twice as many as one picture."""
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, "h", "w"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    kernel = numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float32), "kernel")
    spread_out = numpy_helper.from_array(np.ones((8, 2, 2, 2), np.float32), "spread")
    columns = numpy_helper.from_array(np.ones((40, 5), np.float32), "columns")
    layers = [
        helper.make_node("Conv", ["picture", "kernel"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("ConvTranspose", ["features", "spread"], ["wide"], strides=[2, 2]),
        helper.make_node("MatMul", ["wide", "columns"], ["out"]),
    ]
    graph = helper.make_graph(layers, "small", [picture], [out], [kernel, spread_out, columns])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    convolved = 2 * (8 * 10 * 20) * (3 * 3 * 3)
    one = (convolved + 2 * (8 * 10 * 20) * (2 * 2 * 2) + 2 * (2 * 20 * 5) * 40) / 1e9
    assert gflop(network, [(1, 3, 10, 20)]) == pytest.approx(one)
    assert gflop(network, [(2, 3, 10, 20), (1, 3, 10, 20)]) == pytest.approx(3 * one)


def test_what_is_inside_another_step_counts_once() -> None:
    """A step's seconds are its own, without those of the steps it calls."""
    watch = Stopwatch()
    inner = watch.around("inner", lambda: sum(range(300_000)))
    watch.around("outer", lambda: [inner(), inner()])()
    assert watch.seconds["outer"] < watch.seconds["inner"]


def test_a_goal_says_what_is_missing_and_what_cannot_be_shown() -> None:
    """A shortfall has its size; without bf16 it is no verdict on bf16."""
    goal = Goal("RapidOCR", "receipts a second", 5, Spread(4, 3.9, 4.1))
    assert goal.verdict(bf16=True) == "not reached: 20 % less"
    assert goal.verdict(bf16=False).startswith("cannot be shown here: 20 % less")
    assert Goal("RapidOCR", "", 2, Spread(2, 2, 2)).verdict(bf16=False) == "reached"
    assert Goal("RapidOCR", "", 2, None).verdict(bf16=True) == "not measured in this run"


def invented(folder: Path) -> Run:
    """A run over two receipts and a page in which ours is three times as fast and reads everything."""
    run = Run(dataset.load(drawn.latin(folder, receipts=3)))
    for name, seconds in ((OURS, 1.0), (OURS_AVX2, 1.5), (STOCK, 3.0)):
        run.readings[name] = {
            sample.name: tuple(ReadLine(placed, 0.95) for placed in sample.lines)
            for sample in run.data.samples
        }
        run.failed[name] = 0
        for group in (RECEIPTS, "pages"):
            found = [Pass(seconds * factor, seconds, 900.0, (), 0) for factor in (1.0, 1.1)]
            run.passes.setdefault(group, {})[name] = found
    run.peak = {"precision": "f32", "gflops": 50.0}
    steps = dict.fromkeys(STEPS, 0.1)
    counted = {"megapixels": 1.0, "columns": 900, "gflop": {"detect": 21.2, "recognise": 5.8}}
    run.profiles[RECEIPTS] = {**counted, "pictures": 3, "seconds": steps}
    return run


@pytest.mark.parametrize(("avx2", "held"), [(False, "2.00"), (True, "3.00")])
def test_the_page_has_every_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, avx2: bool, held: str
) -> None:
    """Speeds, goals, accuracy, confidence, profile: with the figures that were put in."""
    monkeypatch.setattr(machine, "ends_at_avx2", lambda: avx2)
    run = invented(tmp_path)
    page = render(run, all_contenders()[:3], 0.36)
    assert "| rapidocr | 0.955 (0.909-1.000) | 3.00 | 1.00 | 0.1050 (0.1000-0.1100) | 900 |" in page
    assert f"receipts a second, ours held to f32 and AVX2 | 2.2 x | {held} x" in page
    assert f"manifest {run.data.fingerprint}" in page
    assert str(tmp_path) not in page
    assert str(ROOT) not in page
    assert len(all_goals(run, machine.cores())) == 7


@pytest.mark.engine
@pytest.mark.slow
def test_one_round_with_our_engine_alone(tmp_path: Path) -> None:
    """Two drawn receipts are read, timed, judged and reported."""
    folder = drawn.latin(tmp_path / "data", receipts=2, pages=0)
    command = [sys.executable, "-m", "benchmarks.cpu", f"--data={folder}", "--rounds=1", "--only=pecia"]
    command.append(f"--results={tmp_path}")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "cpu.md").read_text()
    assert "| receipt | 2 | pecia | **0.00** | 100.00 |" in page
    assert "of the floor's speed is reached" in page
    assert str(tmp_path) not in page


def test_help_teaches() -> None:
    """What can be asked for, what a data set is, and that the machine should be idle."""
    command = [sys.executable, "-m", "benchmarks.cpu", "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    for word in ("DATA", "ROUNDS", "ONLY", "KINDS", "PRICE", "manifest.json", "idle"):
        assert word in said
