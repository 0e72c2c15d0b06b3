"""Decides from a history and the database whether jobs were done as promised. Pure: no clock, no I/O."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.jobs.history import Event, Kind

_ENDED = frozenset({"done", "partial", "failed", "cancelled"})
_PAGE_ENDED = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the database has it at the end. `result` is its text result, None where there is none."""

    id: str
    state: str
    total: int
    done: int
    failed: int
    result: str | None = None


@dataclass(frozen=True, slots=True)
class PageRow:
    """A page as the database has it. `text` is that of the winning blob, None where there is no such blob.

    `token` is that of its last lease, `writer` that of the lease under which the winning blob was written;
    `queued`: it is in the queue of ready pages.
    """

    job: str
    number: int
    state: str
    token: str = ""
    text: str | None = None
    queued: bool = False
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the database and the blobs say at the end. `running`: held pages by each tenant's own counter."""

    jobs: Sequence[JobRow] = ()
    pages: Sequence[PageRow] = ()
    running: Mapping[str, int] = field(default_factory=dict)

    def pages_of(self, job: str) -> dict[int, PageRow]:
        """By number."""
        return {page.number: page for page in self.pages if page.job == job}


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, by the rule's name."""

    rule: str
    job: str
    page: int = -1
    detail: str = ""

    def __str__(self) -> str:
        where = f"{self.job} page {self.page}" if self.page >= 0 else self.job
        return f"{self.rule}: {where} {self.detail}".rstrip()


Rule = Callable[[Sequence[Event], Truth], Iterator[Violation]]


def check(history: Sequence[Event], truth: Truth) -> list[Violation]:
    """Everything that is wrong; empty = all promises were kept. The history is in the order of time."""
    return [violation for rule in RULES for violation in rule(history, truth)]


def lost_jobs(history: Sequence[Event], truth: Truth) -> Iterator[Violation]:
    """A job that was accepted is in the database."""
    known = {job.id for job in truth.jobs}
    for event in history:
        if event.kind is Kind.SUBMITTED and event.job not in known:
            yield Violation("lost job", event.job)


def stuck_jobs(_history: Sequence[Event], truth: Truth) -> Iterator[Violation]:
    """At the end every job has ended."""
    for job in truth.jobs:
        if job.state not in _ENDED:
            yield Violation("stuck job", job.id, detail=f"is {job.state}, {job.done} of {job.total} done")


def lost_pages(history: Sequence[Event], truth: Truth) -> Iterator[Violation]:
    """Every page asked for has ended, and one that is done has its result in the blobs."""
    asked = {event.job: event.page for event in history if event.kind is Kind.SUBMITTED}
    for job in truth.jobs:
        pages = truth.pages_of(job.id)
        for number in range(1, asked.get(job.id, job.total) + 1):
            page = pages.get(number)
            if page is None:
                yield Violation("lost page", job.id, number, "has no row")
            elif page.state not in _PAGE_ENDED:
                yield Violation("lost page", job.id, number, f"is {page.state}")
            elif page.state == "done" and page.text is None:
                yield Violation("lost page", job.id, number, "has no result in the blobs")


def recorded_twice(history: Sequence[Event], _truth: Truth) -> Iterator[Violation]:
    """A page is recorded once, and once more for each time somebody asked for it again."""
    ended: set[tuple[str, int]] = set()
    for event in history:
        place = (event.job, event.page)
        if event.kind in {Kind.REOPENED, Kind.CANCELLED}:
            ended.discard(place)
        elif event.kind in {Kind.RECORDED, Kind.GIVEN_UP} and event.page > 0:
            if place in ended:
                yield Violation("recorded twice", event.job, event.page)
            ended.add(place)


def stolen_pages(history: Sequence[Event], truth: Truth) -> Iterator[Violation]:
    """Only who holds a page records it: with the token of the last claim, and the blob written under it."""
    for page in truth.pages:
        if page.state == "done" and page.number > 0 and page.writer not in {"", page.token}:
            yield Violation("not the holder", page.job, page.number, "has a result of a lease that was lost")
    holder: dict[tuple[str, int], str] = {}
    for event in history:
        place = (event.job, event.page)
        if event.kind is Kind.CLAIMED:
            if place in holder:
                yield Violation("held twice", event.job, event.page, "was claimed while held")
            holder[place] = event.token
        elif event.kind is Kind.RECORDED and holder.pop(place, None) != event.token:
            yield Violation("not the holder", event.job, event.page, "was recorded by somebody else")
        elif event.kind in {Kind.FREED, Kind.GIVEN_UP, Kind.CANCELLED}:
            holder.pop(place, None)


def wrong_counts(_history: Sequence[Event], truth: Truth) -> Iterator[Violation]:
    """A job's counters are those of its pages: `done` means that all of them are, never silently fewer."""
    for job in truth.jobs:
        states = Counter(page.state for number, page in truth.pages_of(job.id).items() if number > 0)
        if (job.done, job.failed) != (states["done"], states["failed"]):
            found = (
                f"says {job.done} and {job.failed}, pages {states['done']} done, {states['failed']} failed"
            )
            yield Violation("wrong count", job.id, detail=found)
        if job.state == "done" and states["done"] != job.total:
            yield Violation("ended short", job.id, detail=f"{states['done']} of {job.total} pages are done")
        if job.state == "partial" and not 0 < states["failed"] < job.total:
            yield Violation("ended short", job.id, detail=f"partial with {states['failed']} failed pages")


def orphan_leases(_history: Sequence[Event], truth: Truth) -> Iterator[Violation]:
    """When all jobs have ended nobody holds a page, none waits in the queue, and the counters say so."""
    ended = {job.id for job in truth.jobs if job.state in _ENDED}
    for page in truth.pages:
        if page.job in ended and page.state == "leased":
            yield Violation("orphan lease", page.job, page.number, page.token)
        if page.queued != (page.state == "ready"):
            yield Violation("wrong queue", page.job, page.number, f"is {page.state}, queued {page.queued}")
    held = sum(page.state == "leased" for page in truth.pages)
    if sum(truth.running.values()) != held or min(truth.running.values(), default=0) < 0:
        yield Violation("orphan lease", "", detail=f"counters say {dict(truth.running)}, pages say {held}")


def webhooks(history: Sequence[Event], truth: Truth) -> Iterator[Violation]:
    """Whoever asked to be told is told of each end, under one id however often it was tried."""
    wanted = {event.job for event in history if event.kind is Kind.SUBMITTED and event.detail}
    ids, ends = _told(history), _ends(history)
    for job in truth.jobs:
        if job.id in wanted and job.state in _ENDED:
            told, expected = len(ids[job.id]), max(1, ends[job.id])
            if told > expected:
                yield Violation("two webhook ids", job.id, detail=", ".join(sorted(ids[job.id])))
            elif told < expected:
                yield Violation("no webhook", job.id, detail=f"{told} of {expected}")


def went_back(history: Sequence[Event], _truth: Truth) -> Iterator[Violation]:
    """What callers saw never went back: ended jobs stay so and counts grow, unless asked for again."""
    seen: dict[str, Event] = {}
    for event in history:
        if event.kind is Kind.REOPENED:
            seen.pop(event.job, None)
        elif event.kind is Kind.SEEN:
            last = seen.get(event.job, event)
            if event.page < last.page or (last.detail in _ENDED and event.detail != last.detail):
                found = f"{last.detail} {last.page} -> {event.detail} {event.page}"
                yield Violation("went back", event.job, detail=found)
            seen[event.job] = event


def wrong_texts(history: Sequence[Event], truth: Truth) -> Iterator[Violation]:
    """A page's result is what an engine said of that page; the job's has all of them, once, in order."""
    said: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in history:
        if event.kind is Kind.READ:
            said[event.job, event.page].add(event.detail)
    for page in truth.pages:
        if page.state == "done" and page.number > 0 and page.text is not None:
            expected = said.get((page.job, page.number))
            if expected is not None and page.text not in expected:
                yield Violation("wrong text", page.job, page.number, repr(page.text[:60]))
    for job in truth.jobs:
        if job.state in {"done", "partial"}:
            yield from _whole(job, truth.pages_of(job.id))


def _whole(job: JobRow, pages: Mapping[int, PageRow]) -> Iterator[Violation]:
    if job.result is None:
        yield Violation("ended short", job.id, detail="has no result")
        return
    at = 0
    for number in sorted(pages):
        text = pages[number].text if pages[number].state == "done" and number > 0 else None
        if text and (found := job.result.find(text, at)) < 0:
            yield Violation("ended short", job.id, number, "is not in the result, or not in its place")
        elif text:
            at = found + len(text)


def _told(history: Sequence[Event]) -> dict[str, set[str]]:
    ids: dict[str, set[str]] = defaultdict(set)
    for event in history:
        if event.kind is Kind.WEBHOOK:
            ids[event.job].add(event.token)
    return ids


def _ends(history: Sequence[Event]) -> Counter[str]:
    """How often each job came to an end."""
    return Counter(event.job for event in history if event.kind is Kind.JOB and event.detail in _ENDED)


RULES: tuple[Rule, ...] = (
    lost_jobs,
    stuck_jobs,
    lost_pages,
    recorded_twice,
    stolen_pages,
    wrong_counts,
    orphan_leases,
    webhooks,
    went_back,
    wrong_texts,
)
