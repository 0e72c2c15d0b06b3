"""What the intake counts, beside what every worker does."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Seconds. A receipt takes one or two, a book an hour; what waits for room or for a night takes longer.
_BUCKETS = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)


class IntakeMetrics:
    """One set a process, on the registry of its worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything."""
        self.documents = Counter(
            "pecia_intake_documents_total",
            "Documents by what became of them here. outcome: taken (a job was made), completed, failed, "
            "refused, dead, returned (to the list, for their worker was silent), waited (for room or for "
            "somebody who is away, and then returned).",
            ("outcome",),
            registry=registry,
        )
        self.fallbacks = Counter(
            "pecia_intake_fallbacks_total",
            "Documents of which some page was read by another engine than the one asked for.",
            registry=registry,
        )
        self.lag = Histogram(
            "pecia_intake_lag_seconds",
            "Seconds from the making of a document's job until its end was told.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self.ids = Gauge(
            "pecia_intake_ids",
            "Ids as Redis counts them. where: list (nobody has taken them), processing, dead.",
            ("where",),
            registry=registry,
        )
