"""What a worker counts, in Prometheus' words. Labels take few values, whatever documents say."""

from pecia_core.telemetry import resident_bytes
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Seconds. A claim is milliseconds where the database is well, a page a minute where the CPU is not.
_CLAIM_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_PAGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 15, 30, 60, 120, 300)


class Metrics:
    """One set a process, on the registry it is given; everything begins with `pecia_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything."""
        self.registry = registry
        self._what_becomes_of_pages(registry)
        self._how_long(registry)
        self._what_waits(registry)
        self._what_is_kept(registry)

    def _what_becomes_of_pages(self, registry: CollectorRegistry) -> None:
        self.pages = Counter(
            "pecia_job_pages_total",
            "Pages this worker was done with. outcome: done, failed, retried, given_back, "
            "put_off (until their model is loaded), fenced.",
            ("outcome", "source"),
            registry=registry,
        )
        self.failures = Counter(
            "pecia_job_page_failures_total",
            "Attempts at pages that failed, by code.",
            ("code",),
            registry=registry,
        )
        self.leases_lost = Counter(
            "pecia_leases_lost_total",
            "Leases that ended while this worker worked. why: held (cancelled or taken), beat, late.",
            ("why",),
            registry=registry,
        )
        self.text_layers = Counter(
            "pecia_text_layers_total",
            "Text layers of PDF pages by whether they may stand for the page.",
            ("verdict",),
            registry=registry,
        )
        self.jobs = Counter(
            "pecia_jobs_finished_total",
            "Jobs this worker put together, by their state at the end.",
            ("state",),
            registry=registry,
        )

    def _how_long(self, registry: CollectorRegistry) -> None:
        self.claim_seconds = Histogram(
            "pecia_claim_seconds",
            "Seconds a claim of pages took.",
            buckets=_CLAIM_BUCKETS,
            registry=registry,
        )
        self.render_seconds = Histogram(
            "pecia_render_seconds",
            "Seconds until a page was a picture, waiting for a process included.",
            buckets=_PAGE_BUCKETS,
            registry=registry,
        )
        self.page_seconds = Histogram(
            "pecia_job_page_seconds",
            "Seconds from a page's claim until its result was stored.",
            ("source",),
            buckets=_PAGE_BUCKETS,
            registry=registry,
        )

    def _what_waits(self, registry: CollectorRegistry) -> None:
        self.in_flight = Gauge("pecia_job_pages_in_flight", "Pages this worker holds.", registry=registry)
        self.room = Gauge("pecia_job_pages_room", "Pages this worker would hold.", registry=registry)
        self.queue = Gauge(
            "pecia_jobs_queue",
            "As the database counts. what: active jobs, queued jobs, due pages, and pages that are put "
            "off until their next try or until their model is loaded.",
            ("what",),
            registry=registry,
        )
        self.longest_wait = Gauge(
            "pecia_jobs_oldest_waiting_page_seconds",
            "Seconds that page has waited which waits longest of those that are next in a caller's line.",
            registry=registry,
        )
        self.waits = Counter(
            "pecia_waits_total",
            "Times a page had to wait for somebody who was away or full.",
            ("what", "code"),
            registry=registry,
        )
        self.swept = Counter(
            "pecia_swept_total",
            "What sweeps of this worker set right: lapsed leases, retries that are due, and others.",
            ("what",),
            registry=registry,
        )

    def _what_is_kept(self, registry: CollectorRegistry) -> None:
        self.purged = Counter(
            "pecia_purged_jobs_total",
            "Folders emptied of jobs that were deleted or over the limits; each is looked at twice.",
            registry=registry,
        )
        self.purged_bytes = Counter(
            "pecia_purged_bytes_total", "Bytes of those jobs' blobs.", registry=registry
        )
        self.orphans = Counter(
            "pecia_orphan_blobs_total", "Blobs deleted that no row names.", registry=registry
        )
        memory = Gauge(
            "pecia_resident_memory_bytes",
            "Memory this process holds, without its children.",
            ("service",),
            registry=registry,
        )
        memory.labels("worker").set_function(resident_bytes)
