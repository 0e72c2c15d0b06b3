"""What the model starts from: each number with where it was measured, or that it is assumed."""

from dataclasses import dataclass

from benchmarks.scale.measuring import Measured

ASSUMED = "assumed"
_HERE = "measured in this run"


@dataclass(frozen=True, slots=True)
class Input:
    """One number; `source` is a file, this run, or why it is assumed."""

    value: float
    unit: str
    source: str

    @property
    def assumed(self) -> bool:
        """Whether nobody has measured it here."""
        return self.source.startswith(ASSUMED)


# Prices: Amazon's list prices on demand in us-west-2 as known in November 2025, not looked up since.
_PRICE = f"{ASSUMED}: list price, us-west-2, on demand, as of November 2025"

FIXED: dict[str, Input] = {
    "pages of an L4": Input(
        2.19, "pages/s", f"{ASSUMED}: roofline at 64 pages at once, base size, 800 tokens; no L4 has run it"
    ),
    "pages at once in an L4": Input(64, "pages", f"{ASSUMED}: as above"),
    "share that comes as jobs": Input(
        0.5, "", f"{ASSUMED}: the rest comes through REST, one picture a request"
    ),
    "gateway, a small picture": Input(1000 / 327, "CPU-ms/request", "benchmarks/results/http.md"),
    "drawing a PDF page": Input(169, "CPU-ms/page", "benchmarks/results/handover.md"),
    "packing, carrying, unpacking it": Input(55, "CPU-ms/page", "benchmarks/results/handover.md"),
    "picture of a page": Input(556, "KiB", "benchmarks/results/handover.md, JPEG q92 4:4:4"),
    "result of a page": Input(20, "KiB", f"{ASSUMED}: JSON with words and boxes"),
    "document, a page": Input(100, "KiB", f"{ASSUMED}: PDF"),
    "log lines of a page": Input(1.2, "KiB", f"{ASSUMED}: three lines of JSON"),
    "a processor's share that is used": Input(0.6, "", f"{ASSUMED}: room for bursts"),
    "look at pods every": Input(5, "s", "libs/dispatch/pecia_dispatch/settings.py"),
    "connection age": Input(30, "s", "services/ocr/pecia_ocr/settings.py"),
    "lease renewed every": Input(10, "s", "libs/jobs/pecia_jobs/settings.py: a third of a lease"),
    "database connections of a process": Input(5, "", "libs/jobs/pecia_jobs/settings.py"),
    "rows of a page in the log at its creation": Input(600, "bytes", f"{ASSUMED}: two inserts"),
    "$ g6.xlarge": Input(0.8048, "$/h", _PRICE),
    "$ core of m7i": Input(0.2016 / 2, "$/h", f"{_PRICE}; m7i.xlarge has 2 cores"),
    "$ EKS": Input(0.10, "$/h", _PRICE),
    "$ database": Input(0.35, "$/h for 2 vCPUs", f"{_PRICE}; RDS PostgreSQL in two zones, about"),
    "$ ALB": Input(0.0225, "$/h", _PRICE),
    "$ LCU": Input(0.008, "$/h", _PRICE),
    "$ GB through NAT": Input(0.045, "$/GB", _PRICE),
    "$ S3 PUT": Input(0.005, "$/1,000", _PRICE),
    "$ S3 GET": Input(0.0004, "$/1,000", _PRICE),
    "$ GB of log": Input(0.50, "$/GB", f"{_PRICE}; CloudWatch"),
}


def measured(found: Measured, pods: int) -> dict[str, Input]:
    """What this run has measured, for a fleet of so many pods."""
    values = {
        "choosing one of the pods": (found.choose_ms[pods].median, "CPU-ms/page"),
        "Describe, who asks": (found.describe_client_ms.median, "CPU-ms"),
        "Describe, who answers": (found.describe_server_ms.median, "CPU-ms"),
        "connecting, who asks": (found.connect_client_ms.median, "CPU-ms"),
        "connecting, who answers": (found.connect_server_ms.median, "CPU-ms"),
        "a connection": (found.channel_kib.median, "KiB"),
        "a page in PostgreSQL": (found.database_ms.median, "CPU-ms"),
        "a page in SQL, the worker": (found.worker_ms.median, "CPU-ms"),
        "log of a page claimed and recorded": (found.wal_bytes.median, "bytes"),
        "log of a lease renewed": (found.beat_wal_bytes.median, "bytes"),
    }
    return {name: Input(value, unit, _HERE) for name, (value, unit) in values.items()}
