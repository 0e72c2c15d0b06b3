"""`make bench-gpu`: its roofline, its page from invented figures, and the smallest run for real."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pecia_ocr.engines.deepseek.testing import PUBLISHED

from benchmarks.gpu import goals, report
from benchmarks.gpu.found import Decode, Found, Model, Place, Served
from benchmarks.gpu.roofline import Roofline, peak_bandwidth
from benchmarks.gpu.scale import SMALLEST
from benchmarks.gpu.weights import words

ROOT = Path(__file__).parents[1]


def invented() -> Found:
    """The published network on a GPU that reaches all but one goal."""
    model = Model(
        load_s=[4.0, 5.0, 6.0],
        ready_s=[30.0] * 3,
        vision_ms={"base": [10.0, 11.0, 12.0]},
        prefill_ms={"base": [8.0] * 3},
        prompt_tokens={"base": 278},
        decode=[
            Decode(64, True, "grouped_mm", 716, [23_000.0, 24_000.0, 25_000.0]),
            Decode(64, True, "batched_mm", 716, note="does not fit"),
        ],
        rival_s=[16.0] * 3,
        rival_experts="grouped_mm",
        cancel_steps=[0, 1],
        peak_gb=19.5,
    )
    house = Served(0, 64, [12.0] * 3, [9600.0] * 3, [0.5] * 3, [1.0] * 3, [300.0] * 3, [40.0] * 3)
    slow = replace(house, rate=9.0, at_once=0, first_p95_s=[2.5] * 3, pages_s=[9.0] * 3)
    kept = replace(house, rate=7.0, at_once=0, pages_s=[7.0] * 3)
    place = Place("NVIDIA H200", on_gpu=True, gb_per_second=4800, measured=False, load=0.1, versions="torch")
    return Found("full", "abc", place, model, house, [kept, slow])


def on_a_cpu() -> Found:
    """The same figures, by a small network on a CPU."""
    found = invented()
    assert found.place is not None
    found.place = replace(found.place, device="a processor", on_gpu=False, measured=True)
    found.scale = "small"
    return found


def test_the_roofline_is_what_a_step_reads() -> None:
    """Bytes by hand: 574,095,360 numbers for one row; 64 rows hit all experts but 0.12 of each layer's 64."""
    roof = Roofline(PUBLISHED, 2, 300)
    attention, first, head = 12 * 4 * 1280**2, 3 * 1280 * 6848, 1280 * 129_280
    one = attention + first + 11 * ((6 + 2) * 3 * 1280 * 896 + 64 * 1280) + head
    assert one == 574_095_360
    assert roof.weight_bytes(1) == pytest.approx(2 * one)
    assert roof.weight_bytes(16) == pytest.approx(4.54e9, rel=0.001)
    assert roof.weight_bytes(64) == pytest.approx(5.53e9, rel=0.001)
    assert roof.context_bytes(1, 1) == 61_440
    assert roof.tokens_per_second(1, 0) == pytest.approx(261.3, rel=0.001)
    with_context = 64 * 300e9 / (roof.weight_bytes(64) + 64 * 678 * 61_440)
    assert roof.tokens_per_second(64, 678) == pytest.approx(with_context)


@pytest.mark.parametrize(
    ("device", "peak"),
    [
        ("NVIDIA H200", 4800),
        ("NVIDIA L4", 300),
        ("NVIDIA L40S", 864),
        ("NVIDIA H100 80GB HBM3", 3350),
        ("a toaster", None),
    ],
)
def test_bandwidth_is_known_by_name(device: str, peak: float | None) -> None:
    """No device passes for another whose name is part of its own."""
    assert peak_bandwidth(device) == peak


def test_the_page_has_every_part() -> None:
    """Goals with what is missing, decoding beside its roofline, the rival and the service."""
    page = report.render(invented())
    assert page.startswith("# DeepSeek-OCR on NVIDIA H200")
    assert "No GPU was at hand" not in page
    assert "| at least 1.6  | 2.00 | reached |" in page
    assert "| at least 8 x | 192.00 | reached |" in page
    assert "| at most 20 GB | 19.50 | reached |" in page
    assert "| at most 250 ms | 300.00 | not reached: 20 % more |" in page
    assert "| 64 | yes | grouped_mm | 24000 (23000-25000) |" in page
    assert "| 64 | yes | batched_mm | does not fit |" in page
    assert "p95): 7.00 of these rates" in page
    assert "Seconds on an L4 were not measured" in page
    assert str(ROOT) not in page


def test_without_a_gpu_nothing_is_claimed() -> None:
    """The page says so at its top, and no goal of a GPU counts as reached."""
    page = report.render(on_a_cpu())
    assert "No GPU was at hand" in page[:300]
    assert "These figures say nothing about a GPU" in page.replace("\n> ", " ")
    for goal in goals.all_goals(on_a_cpu()):
        if not goal.anywhere:
            assert goal.verdict(full=False) == "not measured here"
    assert "reached" not in page.split("## The model")[0].split("pages/s beside")[1].split("\n")[0]


def test_a_part_that_failed_is_told_of() -> None:
    """What is missing is said, and the rest is shown."""
    found = invented()
    found.full_house, found.arrivals, found.problems = None, [], {"service": "it ended with code 1"}
    page = report.render(found)
    assert "The part `service` is incomplete: it ended with code 1." in page
    assert "| not measured in this run |" in page


def test_what_was_found_comes_back_from_its_file() -> None:
    """A later run of the other part goes on with it."""
    assert Found.from_json(json.loads(json.dumps(invented().to_json()))) == invented()


def test_every_id_is_a_word_of_its_own() -> None:
    """What chance writes has the length of words, is decoded, and has no marks in it."""
    tokenizer = words(SMALLEST.dimensions.vocabulary)
    assert tokenizer.get_vocab_size() == SMALLEST.dimensions.vocabulary
    assert tokenizer.decode([300, 301], skip_special_tokens=False) == " aam aan"


@pytest.mark.engine
@pytest.mark.slow
def test_the_smallest_run_fills_every_row(tmp_path: Path) -> None:
    """Weights are made, both parts measured, the page written, the weights deleted."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--small=2", "--rounds=1", "--seconds=1"]
    command += [f"--results={tmp_path}", f"--state={tmp_path / 'state'}"]
    subprocess.run(command, cwd=ROOT, timeout=240, check=True)
    found = Found.from_json(json.loads((tmp_path / "state" / "gpu.json").read_text()))
    assert found.model
    assert found.problems == {}
    assert all(one.tokens_s for one in found.model.decode)
    assert found.full_house
    assert (found.full_house.errors, set(found.full_house.ends)) == (0, {"length"})
    page = (tmp_path / "gpu.md").read_text()
    assert "say nothing about" in page
    assert str(tmp_path) not in page
    assert not list((tmp_path / "state").glob("gpu-*/*.safetensors"))
