"""What happens to a job, as it happens: through lost connections and restarts, without gap or repeat."""

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import httpx
from pecia_core.errors import DeadlineExceeded, PeciaError, Unavailable

from pecia_client.connection import Retries
from pecia_client.jobs.model import Job, JobEvent, JobPage

_WAITS = Retries(first_wait_s=0.2)
_MOST_DOUBLINGS = 5

Open = Callable[[int], AbstractContextManager[httpx.Response]]


def followed(open_after: Open, after: int, patience_s: float) -> Generator[JobEvent, None, None]:
    """Events until the job ends.

    Args:
        open_after: opens the stream of what came after an event's number.
        after: number of the last event the caller knows; 0 = none.
        patience_s: seconds nobody may answer before this gives up.

    Raises:
        PeciaError: refused, or nobody answered for `patience_s`.
    """
    failure: PeciaError
    misses, last_contact = 0, time.monotonic()
    while True:
        heard = False
        try:
            with open_after(after) as response:
                last_contact = time.monotonic()
                for event in parsed(response.iter_lines()):
                    heard, misses = True, 0
                    after = max(after, event.seq)
                    yield replace(event, seq=after)
                    # The end that is told first has no number: pages that ended before it are still to come.
                    if event.job and event.job.ended and event.seq:
                        return
                    last_contact = time.monotonic()
        except PeciaError as error:
            if not (error.retryable or isinstance(error, DeadlineExceeded)):
                raise
            failure = error
        else:
            failure = Unavailable("The gateway ended the stream before the job ended.")
        if time.monotonic() - last_contact > patience_s:
            raise failure
        misses += not heard
        time.sleep(_WAITS.wait_s(min(misses, _MOST_DOUBLINGS), failure.retry_after))


def parsed(lines: Iterator[str]) -> Iterator[JobEvent]:
    """Events out of the lines of a stream; comments and kinds that are not known are passed over."""
    seq, kind, data = 0, "", ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id" if value.isdecimal():
                seq = int(value)
            case "event":
                kind = value
            case "data":
                data = f"{data}\n{value}" if data else value
            case "" if not line and data:
                if event := _event(seq, kind, data):
                    yield event
                kind, data = "", ""


def _event(seq: int, kind: str, data: str) -> JobEvent | None:
    match kind:
        case "job":
            return JobEvent(seq, job=Job.from_json(json.loads(data)))
        case "page":
            return JobEvent(seq, page=JobPage.from_json(json.loads(data)))
    return None
