"""A job that a transaction holds, and what is counted of it until it is written."""

from dataclasses import dataclass

from pecia_jobs.model import JobState


@dataclass(slots=True)
class Tally:
    """A job that is held. `ended` leases are free again; `woken` = it has pages to do."""

    id: str
    tenant: str
    priority: int
    state: JobState
    total: int
    done: int
    failed: int
    seq: int
    stored: int = 0
    ended: int = 0
    woken: bool = False

    def page_ended(self, *, done: bool) -> int:
        """Count a page; gives its number among what can be seen."""
        self.done += done
        self.failed += not done
        if self.state is JobState.QUEUED:  # the worker died before it could say that it began
            self.state = JobState.RUNNING
        return self.next_seq()

    def next_seq(self) -> int:
        """For the next thing that can be seen of it."""
        self.seq += 1
        return self.seq
