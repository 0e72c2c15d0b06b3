"""Who calls: by a signed assertion of a service of the platform, or by a key; the same keys as REST."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from pecia_core.errors import PermissionDenied, Unauthenticated
from pecia_core.keys import KeyRecord, KeyRing, Scope
from pecia_core.limits import TenantLimits
from pecia_identity.assertions import Statement, Verifier
from pecia_identity.audit_log import Act, AuditLog
from pecia_identity.keys_file import watched_keys
from pecia_identity.watched import Watched

from pecia_ocr.settings import Settings

ANONYMOUS = "default"
ASSERTION = "x-pecia-assertion"
_SCOPES = {"Forget": Scope.ADMIN}
_SIGN = (
    "This call needs the assertion of a service of the platform: set PECIA_OCR__ASSERTION__KEY_FILE in the "
    "caller."
)
# For whom the call at hand is answered; it follows awaits like the request's id.
tenant: ContextVar[str] = ContextVar("tenant", default=ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call at the door. `picture` = digest of what is to be read, where an assertion names one."""

    method: str
    metadata: Mapping[str, str] = field(repr=False)
    picture: str = ""
    source: str = ""

    @property
    def assertion(self) -> str:
        """As it came; "" = there is none."""
        return self.metadata.get(ASSERTION, "")


class Door:
    """Lets callers in; open to everybody while there are neither keys nor those who sign."""

    def __init__(self, settings: Settings, audit: AuditLog) -> None:
        """Read the keys.

        Raises:
            ValueError, OSError: a file cannot be used; the service must not start open by mistake.
        """
        path = settings.auth.keys_file
        self._keys: Watched[KeyRing] | None = watched_keys(path, settings.auth.reload_s) if path else None
        self._verifier = Verifier(settings.assertion)
        self._audit = audit
        self._limits = TenantLimits()

    @property
    def open(self) -> bool:
        """Whether everybody may call."""
        return self._keys is None and not self._verifier.checks

    @contextmanager
    def enter(self, arrival: Arrival) -> Iterator[str]:
        """Hold a place for one call and give its tenant.

        Raises:
            Unauthenticated: neither an assertion nor a key that is believed.
            PermissionDenied: the key lacks the scope.
            Overloaded: this key's rate or calls in flight are used up.
        """
        if self.open:
            yield arrival.metadata.get("x-pecia-tenant", ANONYMOUS)
            return
        try:
            record = None if self._verifier.checks and arrival.assertion else self._record(arrival)
            named = self._asserted(arrival) if record is None else self._tenant(record, arrival)
        except (Unauthenticated, PermissionDenied) as error:
            self._note(arrival, error)
            raise
        if record is None:  # its limits were those of the gateway
            yield named
            return
        with self._limits.admit(record):
            yield named

    def _asserted(self, arrival: Arrival) -> str:
        request = arrival.metadata.get("x-request-id", "")
        seen = Statement("", arrival.method, request, arrival.picture)
        return self._verifier.tenant_of(arrival.assertion, seen)

    def _tenant(self, record: KeyRecord, arrival: Arrival) -> str:
        """Only services of our own may speak for somebody else; where that is signed, they have to."""
        if record.trusted and self._verifier.checks:
            raise Unauthenticated(_SIGN, code="invalid_assertion")
        return arrival.metadata.get("x-pecia-tenant", record.tenant) if record.trusted else record.tenant

    def _record(self, arrival: Arrival) -> KeyRecord:
        scheme, _, presented = arrival.metadata.get("authorization", "").partition(" ")
        if self._keys is None:
            raise Unauthenticated(_SIGN, code="invalid_assertion")
        record = self._keys.now().admit(presented if scheme.lower() == "bearer" else "")
        record.require(_SCOPES.get(arrival.method, Scope.OCR))
        return record

    def _note(self, arrival: Arrival, error: Unauthenticated | PermissionDenied) -> None:
        _, _, presented = arrival.metadata.get("authorization", "").partition(" ")
        known = self._keys.now().find(presented) if self._keys else None
        what = "assertion.refused" if error.code == "invalid_assertion" else "key.refused"
        who = (known.tenant, known.id) if known else ("", "")
        said = {"code": error.code, "method": arrival.method}
        self._audit.record(Act(what, "refused", *who, source=arrival.source, detail=said))
