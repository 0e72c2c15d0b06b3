"""`make bench-scale`: the simulation drives the real choice of a pod, and the model multiplies as it says."""

from dataclasses import replace

import pytest

from benchmarks.scale import dispatch, report
from benchmarks.scale.dispatch import Shape
from benchmarks.scale.inputs import FIXED, Input, measured
from benchmarks.scale.measuring import Measured
from benchmarks.scale.model import Fleet, Part
from benchmarks.spread import Spread

QUIET = Shape(pods=20, slots=8, gateways=6, share=0.85, page_s=7.4, seconds=60.0)
# So many that some are drawn.
MANY = Shape(pods=90, slots=2, gateways=12, share=0.9, page_s=7.4, seconds=60.0)
FULL = Shape(pods=90, slots=1, gateways=3, share=9.0, page_s=5.0, seconds=80.0)
# Three queues of 64 fill up, and pages are refused by all.
FLOODED = Shape(pods=3, slots=1, gateways=2, share=3.0, page_s=1.0, seconds=200.0)


def invented() -> Measured:
    """Round numbers."""
    one = Spread(1.0, 0.5, 2.0)
    return Measured({53: Spread(0.2, 0.1, 0.3), 1000: Spread(4.0, 3.0, 5.0)}, *[one] * 10)


def fleet(pods: int, **changes: float) -> Fleet:
    """One made of invented measurements."""
    inputs = FIXED | measured(invented(), pods)
    return Fleet(pods, inputs | {name: Input(value, "", "a test") for name, value in changes.items()})


@pytest.mark.parametrize("shape", [QUIET, FLOODED, MANY, FULL], ids=["quiet", "flooded", "many", "full"])
def test_the_fast_way_chooses_as_the_real_one(shape: Shape) -> None:
    """Page for page the same waits and refusals as by pecia_dispatch itself."""
    real, mirrored = dispatch.real(shape, 7), dispatch.as_pecia(shape, 7)
    assert len(real.seconds) > 100
    assert mirrored == real
    assert (real.refused > 0) == (shape in {FLOODED, FULL})


def test_the_same_seed_gives_the_same() -> None:
    """And another one does not."""
    assert dispatch.round_robin(QUIET, 1) == dispatch.round_robin(QUIET, 1)
    assert dispatch.round_robin(QUIET, 1) != dispatch.round_robin(QUIET, 2)


def test_one_line_for_all_waits_least() -> None:
    """Credits at their best are below every way that chooses before there is a slot."""
    best = dispatch.credits_at_best(QUIET, 1).at(0.99)
    for way in (dispatch.round_robin, dispatch.as_pecia, dispatch.two_at_random):
        assert best <= way(QUIET, 1).at(0.99)


def test_who_sees_all_waits_less_than_many_who_do_not() -> None:
    """Least outstanding by one gateway beats the same by many that do not see each other."""
    alone = dispatch.as_pecia(replace(QUIET, gateways=1), 1).at(0.99)
    assert alone < dispatch.as_pecia(replace(QUIET, gateways=30), 1).at(0.99)


def test_many_callers_of_many_pods_do_not_herd() -> None:
    """All that compare all pods go to the same ones; of three drawn, pages wait less than half as long."""
    shape = Shape(pods=200, slots=8, gateways=46, share=0.85, page_s=7.4, seconds=60.0)
    assert 2 * dispatch.as_pecia(shape, 1).at(0.99) < dispatch.of_all(shape, 1).at(0.99)


def test_ten_million_pages_a_day_are_53_l4s() -> None:
    """116 pages a second; what is carried grows with the fleet, looking at pods with its square."""
    small, large = fleet(53), fleet(1000)
    assert small.pages_s == pytest.approx(116, abs=0.5)
    assert large.pages_s * 86_400 / 1e6 == pytest.approx(189, abs=1)
    assert small.dns_bytes < 1232 < large.dns_bytes
    described = {one.pods: dict(one.facts())["Describe"] for one in (small, large)}
    assert described[53].startswith(f"{small.clients * 53 / 5:,.0f} a second")
    assert large.clients * 1000 > 18 * small.clients * 53


def test_the_tightest_part_is_first() -> None:
    """And where it breaks follows from its share of the limit."""
    parts = fleet(1000).parts()
    assert [part.used for part in parts] == sorted((part.used for part in parts), reverse=True)
    assert parts[0].name == "connections to the database"
    assert Part("p", 50, 100, "", "").breaks_at(10) == 20


def test_a_dearer_choice_needs_more_gateways() -> None:
    """What a page costs a gateway decides how many there are, three at least."""
    assert fleet(53).gateways == 3
    dear = fleet(1000, **{"choosing one of the pods": 20.0}).gateways
    assert dear > fleet(1000).gateways > 3


def test_money_is_mostly_gpus() -> None:
    """1,000 pages on L4s at list price; S3 through NAT comes on top."""
    cost = fleet(53).dollars()
    assert cost["L4 nodes"] == pytest.approx(53 * 0.8048 / (53 * 2.19 * 3.6))
    assert cost["L4 nodes"] > 0.8 * sum(cost.values())
    assert fleet(53).nat_dollars() > 0


def test_every_number_says_where_it_is_from() -> None:
    """A file that exists, this run, or that it is assumed and why."""
    for name, one in (FIXED | measured(invented(), 53)).items():
        file = one.source.split(",")[0].split(":")[0]
        known = one.assumed or one.source == "measured in this run" or (report.ROOT / file).exists()
        assert known, name
        assert not one.assumed or len(one.source) > len("assumed: "), name


def test_the_page_has_every_part() -> None:
    """What is carried, what breaks, money, waits, what was measured and where each number is from."""
    fleets = [fleet(53), fleet(1000)]
    inputs = [FIXED | measured(invented(), one.pods) for one in fleets]
    waits = {QUIET: {"round robin": dispatch.round_robin(QUIET, 1)}}
    page = report.render(fleets, inputs, invented(), waits, 0.0)
    for heading in ("What is carried", "What breaks first", "$ for 1,000 pages", "Waiting for a slot"):
        assert f"## {heading}" in page
    assert "| 20 x 8 | 6 | 85% | round robin |" in page
    assert "| choosing one of 1,000 pods, CPU-ms | 4.000 (3.000-5.000) |" in page
    assert "0.2, 4 | CPU-ms/page | measured in this run" in page
