"""The page benchmarks/results/scale.md."""

from collections.abc import Mapping, Sequence

from benchmarks import machine
from benchmarks.machine import ROOT
from benchmarks.scale.dispatch import Shape, Waits
from benchmarks.scale.inputs import Input
from benchmarks.scale.measuring import Measured
from benchmarks.scale.model import Fleet

__all__ = ["ROOT", "render"]
_HEAD = """# Scale, on paper and simulated

Written by `make bench-scale`; [docs/scale.md](../../docs/scale.md) says what follows from it. Nothing of this
has run on a fleet: costs are measured one by one on the machine below, multiplied, and where nobody has
measured a number it is assumed and says so.
"""


def render(
    fleets: Sequence[Fleet],
    inputs: Sequence[Mapping[str, Input]],
    found: Measured,
    waits: Mapping[Shape, Mapping[str, Waits]],
    began: float,
) -> str:
    """All of it as Markdown."""
    sections = [
        _HEAD,
        _carried(fleets),
        _limits(fleets),
        _money(fleets),
        _waits(waits),
        _measured(found),
        _inputs(inputs),
    ]
    load = (
        f"Load of the machine when it began (0 = idle): {began:.1f}; when it ended: {machine.load():.1f}.\n"
    )
    return "\n".join(sections) + "\n## Circumstances\n\n" + machine.circumstances() + load


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


def _carried(fleets: Sequence[Fleet]) -> str:
    facts = [dict(fleet.facts()) for fleet in fleets]
    rows = [[name, *(fact[name] for fact in facts)] for name in facts[0]]
    return "## What is carried\n\n" + _table(["", *(f"{fleet.pods:,} L4s" for fleet in fleets)], rows)


def _limits(fleets: Sequence[Fleet]) -> str:
    text = (
        "## What breaks first\n\nThe tightest first. The last columns say how much of the limit is used, "
        "and at how many L4s it is met.\n"
    )
    for fleet in fleets:
        rows = [
            [
                part.name,
                f"{part.load:,.4g}",
                f"{part.limit:,.4g}",
                part.unit,
                part.why,
                f"{part.used:.0%}",
                f"{part.breaks_at(fleet.pods):,.0f}",
            ]
            for part in fleet.parts()
        ]
        text += f"\n### {fleet.pods:,} L4s\n\n" + _table(
            ["part", "load", "limit", "", "the limit is", "used", "met at L4s"], rows
        )
    return text


def _money(fleets: Sequence[Fleet]) -> str:
    costs = [fleet.dollars() for fleet in fleets]
    rows = [[name, *(f"{cost[name]:.4f}" for cost in costs)] for name in costs[0]]
    rows.append(["**all**", *(f"**{sum(cost.values()):.4f}**" for cost in costs)])
    rows.append(
        ["S3 through NAT instead of an endpoint, more", *(f"{fleet.nat_dollars():.4f}" for fleet in fleets)]
    )
    return "## $ for 1,000 pages\n\n" + _table(["", *(f"{fleet.pods:,} L4s" for fleet in fleets)], rows)


def _waits(found: Mapping[Shape, Mapping[str, Waits]]) -> str:
    rows = [
        [
            f"{shape.pods:,} x {shape.slots}",
            str(shape.gateways),
            f"{shape.share:.0%}",
            name,
            f"{waits.at(0.5):.2f}",
            f"{waits.at(0.99):.2f}",
            str(waits.refused),
            f"{len(waits.seconds):,}",
        ]
        for shape, ways in found.items()
        for name, waits in ways.items()
    ]
    head = ["pods x slots", "clients", "busy", "way to choose", "p50 s", "p99 s", "refused", "pages"]
    return (
        "## Waiting for a slot\n\nSimulated, one seed; a page in an L4 takes 29 s (64 at once), in a pod of "
        "CPUs 7.4 s. `as pecia does`: the gateway's own order of preference, of all pods up to 64, of three "
        "drawn beyond; `the code itself` is `Pods.choose` driven by the simulation, and has to give the "
        "same.\n\n" + _table(head, rows) + "\n![waits](scale.png)\n"
    )


def _measured(found: Measured) -> str:
    rows = [
        [f"choosing one of {pods:,} pods, CPU-ms", spread.shown(3)]
        for pods, spread in found.choose_ms.items()
    ]
    rows += [
        ["Describe, CPU-ms of who asks", found.describe_client_ms.shown(2)],
        ["Describe, CPU-ms of who answers", found.describe_server_ms.shown(2)],
        ["connecting and the first Describe, CPU-ms of who asks", found.connect_client_ms.shown(2)],
        ["connecting and the first Describe, CPU-ms of who answers", found.connect_server_ms.shown(2)],
        ["a connection, KiB of who asks", found.channel_kib.shown(0)],
        [
            "pages claimed and recorded by PostgreSQL and 4 claimers on this machine, pages/s",
            found.pages_per_s.shown(0),
        ],
        ["CPU-ms of PostgreSQL a page", found.database_ms.shown(2)],
        ["CPU-ms of the worker a page", found.worker_ms.shown(2)],
        ["bytes of PostgreSQL's log a page", found.wal_bytes.shown(0)],
        ["bytes of PostgreSQL's log a lease renewed", found.beat_wal_bytes.shown(0)],
    ]
    return "## Measured in this run\n\nMedian of the rounds (least-most).\n\n" + _table(["", "found"], rows)


def _inputs(inputs: Sequence[Mapping[str, Input]]) -> str:
    rows = [
        [
            name,
            f"{one.value:,.4g}"
            if all(other[name].value == one.value for other in inputs)
            else ", ".join(f"{other[name].value:,.4g}" for other in inputs),
            one.unit,
            one.source,
        ]
        for name, one in inputs[0].items()
    ]
    return "## Where each number is from\n\n" + _table(["number", "", "", "source"], rows)
