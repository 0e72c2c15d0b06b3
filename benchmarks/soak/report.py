"""benchmarks/results/soak.md."""

from collections.abc import Sequence

from benchmarks import machine
from benchmarks.quality.dataset import DataSet
from benchmarks.soak.reading import WORKERS
from benchmarks.soak.record import Sample, settled
from benchmarks.soak.slope import Slope, slope

MOST_MB = 2500
WARM_UP = 200
_THOUSAND = 1000
_ROWS = 10
_HEAD = """# Memory over many pages

Written by `make bench-soak`. The ocr service with {workers} rapid workers reads mixed pages, four at a time,
over gRPC: the pictures of a data set, each time in another size, so that shapes do not repeat; every tenth
time as they are, huge scans included. After every ten pages the resident memory of the service and its
workers is added up (what they share counts once). The slope leaves out the first {warm_up} pages of each
start, in which networks meet most of their shapes; its interval is a block bootstrap.
"""


def render(samples: Sequence[Sample], data: DataSet) -> str:
    """The whole page; there has to be a sample."""
    head = _HEAD.format(workers=WORKERS, warm_up=WARM_UP)
    circumstances = machine.circumstances() + _data(samples, data)
    return "\n".join([head, _findings(samples), _course(samples), "## Circumstances\n", circumstances])


def _findings(samples: Sequence[Sample]) -> str:
    peak, last = max(samples, key=lambda sample: sample.total_mb), samples[-1]
    ends = {sample.run: sample for sample in samples}
    seconds = sum(end.seconds for end in ends.values())
    pids = {(sample.run, pid) for sample in samples for pid in sample.worker_pids}
    word = "reached" if peak.total_mb <= MOST_MB else f"not reached: {peak.total_mb - MOST_MB:.0f} MB more"
    return (
        f"- pages: {last.pages}, of which {last.failed} failed, in {len(ends)} starts and "
        f"{seconds / 60:.1f} minutes ({last.pages / max(seconds, 1e-9):.2f} a second)\n"
        f"- peak: **{peak.total_mb:.0f} MB** after {peak.pages} pages; goal: at most {MOST_MB} MB, {word}\n"
        f"- {_growth(samples)}\n"
        f"- workers replaced because they had grown: {max(0, len(pids) - WORKERS * len(ends))}\n"
    )


def _growth(samples: Sequence[Sample]) -> str:
    found = growth(samples)
    if found is None:
        return "slope: too few pages to tell"
    range_ = f"{found.low:+.1f} to {found.high:+.1f}"
    verdict = "grows" if found.low > 0 else "falls" if found.high < 0 else "flat: the interval holds zero"
    return f"slope: **{found.mean:+.1f} MB for 1,000 pages** (95 %: {range_}); {verdict}"


def growth(samples: Sequence[Sample]) -> Slope | None:
    """Megabytes for 1,000 pages."""
    runs = settled(samples, WARM_UP)
    return slope([([s.pages / _THOUSAND for s in found], [s.total_mb for s in found]) for found in runs])


def _course(samples: Sequence[Sample]) -> str:
    """About ten samples from first to last."""
    step = max(1, len(samples) // _ROWS)
    lines = ["| pages | start | service MB | workers MB | all MB |", "|---|---|---|---|---|"]
    lines += [
        f"| {s.pages} | {s.run} | {s.service_mb:.0f} | {s.workers_mb:.0f} | {s.total_mb:.0f} |"
        for s in samples[step - 1 :: step]
    ]
    return "\n".join(lines) + "\n"


def _data(samples: Sequence[Sample], data: DataSet) -> str:
    commits = sorted({sample.commit for sample in samples})
    manifests = ", ".join(sorted({sample.manifest for sample in samples}))
    kinds = ", ".join(f"{count} {kind}" for kind, count in data.kinds().items())
    return f"Read by commit {', '.join(commits)}. Data: {kinds}, manifest {manifests}.\n"
