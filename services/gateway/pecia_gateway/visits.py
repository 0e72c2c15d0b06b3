"""A caller's request from the door to the last byte: who it is, whether there is room, what it came to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, perf_counter

from fastapi import Request
from pecia_core.errors import Cancelled, EngineFailed, PeciaError, PermissionDenied, Unauthenticated
from pecia_core.keys import KeyRecord, Scope
from pecia_core.recognition import Recognition, Started
from pecia_core.telemetry import request_id
from pecia_dispatch import Call
from pecia_identity.audit_log import Act

from pecia_gateway.access import wanted_of
from pecia_gateway.auth import Caller
from pecia_gateway.gateway import Gateway
from pecia_gateway.reader import Reader

_CACHE = "x-ocr-cache"


@dataclass(slots=True)
class Visit:
    """One admitted request. `headers` go on its answer, `engine` and `code` into the metrics.

    `cache_control` is what the caller said of results that are kept.
    """

    gateway: Gateway
    caller: Caller
    headers: dict[str, str]
    cache_control: str = ""
    source: str = ""
    engine: str = ""
    code: str = "ok"
    began: float = field(default_factory=perf_counter)
    queue_ms: float = 0.0

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the door."""
        return (perf_counter() - self.began) * 1000

    def reader(self, timeout_s: float | None = None, *, pages_together: bool = False) -> Reader:
        """Who reads this caller's pages; a shorter time than the settings' is honoured."""
        limit_s = self.gateway.settings.ocr.timeout_s
        limit_s = min(limit_s, timeout_s) if timeout_s else limit_s
        caller = self.caller
        call = Call(request_id.get(), caller.tenant, limit_s, caller.bearer, self.cache_control)
        return Reader(self.gateway.client, call, monotonic() + limit_s, pages_together)

    def tell(self, engine: str, queue_ms: float) -> None:
        """Say in the headers what read, and how long the page waited that waited longest."""
        self.engine = engine
        self.headers["x-ocr-engine"] = engine
        self.queue_ms = max(self.queue_ms, queue_ms)
        self.headers["x-ocr-queue-ms"] = f"{self.queue_ms:.0f}"

    def note(self, page: Recognition | Started) -> None:
        """Say it of a page, and whether all so far were kept."""
        self.tell(page.engine, page.queue_ms if isinstance(page, Started) else page.timings.queue_ms)
        if not page.cached:
            self.note_reading()
        self.headers.setdefault(_CACHE, "hit")

    def note_reading(self) -> None:
        """Something was read, or may yet be: the answer is not one that was kept."""
        self.headers[_CACHE] = "miss"

    def audit(self, what: str, target: str = "", **detail: object) -> None:
        """Put down what the caller did; of a job's id the part that names no file."""
        named = target.partition("_")[2] if what.startswith("job.") else target
        act = Act(what, "done", self.caller.tenant, self.caller.key_id, named, self.source, detail)
        self.gateway.audit.record(act)

    def note_problem(self, error: PeciaError) -> None:
        """Remember that the answer ended badly although its status was good."""
        self.code = error.code


def identified(request: Request, gateway: Gateway) -> Caller:
    """Who calls, with a key that is meant for this route.

    Raises:
        Unauthenticated: no key, or one that does not work.
        PermissionDenied: one that lacks the scope.
    """
    wanted = wanted_of(request)
    try:
        caller = gateway.authenticator.authenticate(request)
        _check_scope(caller, wanted)
    except (Unauthenticated, PermissionDenied) as error:
        gateway.audit.record(_refusal(error, gateway.authenticator.find(request), request))
        raise
    gateway.uses.note(caller.key_id)
    return caller


def _check_scope(caller: Caller, wanted: tuple[Scope, ...]) -> None:
    if caller.record is not None:
        caller.record.require(*wanted)
    elif Scope.ADMIN in wanted:  # open to everybody is not open to deleting everything
        raise PermissionDenied(
            "Administration needs keys: set PECIA_AUTH__KEYS_FILE, and make a key with "
            "`pecia keys create --scope admin`.",
            code="missing_scope_admin",
        )


def _refusal(error: PeciaError, known: KeyRecord | None, request: Request) -> Act:
    """`known` = whose key it is, where it is anybody's."""
    why = known.ended(datetime.now(UTC)) if known else "not known"
    return Act(
        "key.refused",
        outcome="refused",
        tenant=known.tenant if known else "",
        key=known.id if known else "",
        source=source_of(request),
        detail={"code": error.code, "why": why},
    )


def source_of(request: Request) -> str:
    """The address a request came from: the last one before this service."""
    return request.client.host if request.client else ""


@contextmanager
def admitted(request: Request, gateway: Gateway) -> Iterator[Visit]:
    """Hold one of the caller's places until the answer is out, and count what it came to.

    Raises:
        Unauthenticated, PermissionDenied: as `identified`.
        Overloaded: too many requests of this caller.
    """
    caller = identified(request, gateway)
    request.state.tenant = caller.tenant
    # Who is refused now hears, too, what is left.
    request.state.rate_headers = gateway.admission.allowance(caller).headers()
    with gateway.admission.admit(caller) as rate:
        request.state.rate_headers = rate.headers()
        cache_control = ",".join(request.headers.getlist("cache-control"))
        visit = Visit(gateway, caller, rate.headers(), cache_control, source_of(request))
        try:
            yield visit
        except PeciaError as error:
            visit.code = error.code
            raise
        except Exception:
            visit.code = EngineFailed.default_code
            raise
        except BaseException:
            visit.code = Cancelled.default_code
            raise
        finally:
            route = getattr(request.scope.get("route"), "path", "unmatched")
            gateway.metrics.observe_call(route, visit.code, visit.elapsed_ms / 1000, visit.engine)
