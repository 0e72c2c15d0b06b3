"""Who calls: by a signed assertion of a service of the platform, or by a key; the same keys as REST."""

import time
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
_SCOPES = {"Forget": Scope.ADMIN, "KeyUses": Scope.ADMIN}
_SIGN = (
    "This call needs the assertion of a service of the platform: set PECIA_OCR__ASSERTION__KEY_FILE in the "
    "caller."
)
_REFUSED = {"invalid_assertion": "assertion.refused", "client_not_allowed": "certificate.refused"}
# For whom the call at hand is answered; it follows awaits like the request's id.
tenant: ContextVar[str] = ContextVar("tenant", default=ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call at the door.

    Attributes:
        method: name of the RPC.
        metadata: what came with it.
        picture: digest of what is to be read, where an assertion names one.
        source: the address it came from.
        names: what the caller's certificate says it is; none without mutual TLS.
    """

    method: str
    metadata: Mapping[str, str] = field(repr=False)
    picture: str = ""
    source: str = ""
    names: tuple[str, ...] = ()

    @property
    def assertion(self) -> str:
        """As it came; "" = there is none."""
        return self.metadata.get(ASSERTION, "")


class Door:
    """Lets callers in; open to everybody while there are neither keys nor those who sign."""

    def __init__(self, settings: Settings, audit: AuditLog) -> None:
        """Read the keys.

        Raises:
            ValueError, OSError: a file, or a setting, cannot be used; the service must not start open by
                mistake.
        """
        if settings.tls.client_names and not settings.tls.client_ca_file:
            raise ValueError(
                "PECIA_TLS__CLIENT_NAMES needs PECIA_TLS__CLIENT_CA_FILE: without an authority nobody shows "
                "a certificate."
            )
        self._names = frozenset(settings.tls.client_names)
        self._uses: dict[str, float] = {}
        path = settings.auth.keys_file
        self._keys: Watched[KeyRing] | None = watched_keys(path, settings.auth.reload_s) if path else None
        self._verifier = Verifier(settings.assertion)
        self._audit = audit
        self._limits = TenantLimits()

    @property
    def open(self) -> bool:
        """Whether everybody may call."""
        return self._keys is None and not self._verifier.checks

    @property
    def uses(self) -> Mapping[str, float]:
        """Ids of keys, and when they were used last since this process began: seconds since 1970."""
        return self._uses

    @contextmanager
    def enter(self, arrival: Arrival) -> Iterator[str]:
        """Hold a place for one call and give its tenant.

        Raises:
            Unauthenticated: neither an assertion nor a key that is believed.
            PermissionDenied: the key lacks the scope, or the caller's certificate names nobody who may call.
            Overloaded: this key's rate or calls in flight are used up.
        """
        self._check_names(arrival)
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

    def put_down(self, arrival: Arrival, target: str, outcome: str, results: int) -> None:
        """Record that results of a tenant were forgotten, or could not all be."""
        known = self._find(arrival)
        key = known.id if known and not arrival.assertion else ""
        said = {"results": results}
        act = Act("results.forgotten", outcome, tenant.get(), key, target, arrival.source, said)
        self._audit.record(act)

    def _check_names(self, arrival: Arrival) -> None:
        if not self._names or self._names & set(arrival.names):
            return
        shown = ", ".join(arrival.names) or "nobody"
        error = PermissionDenied(
            f"The caller's certificate names {shown}, and PECIA_TLS__CLIENT_NAMES of the ocr service allows "
            "others: call with a certificate of one of those, or add the name there.",
            code="client_not_allowed",
        )
        self._note(arrival, error)
        raise error

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
        self._uses[record.id] = time.time()
        return record

    def _note(self, arrival: Arrival, error: Unauthenticated | PermissionDenied) -> None:
        known = self._find(arrival)
        what = _REFUSED.get(error.code, "key.refused")
        who = (known.tenant, known.id) if known else ("", "")
        said = {"code": error.code, "method": arrival.method}
        self._audit.record(Act(what, "refused", *who, source=arrival.source, detail=said))

    def _find(self, arrival: Arrival) -> KeyRecord | None:
        """Whose key came along, whether or not it works; None = nobody's."""
        _, _, presented = arrival.metadata.get("authorization", "").partition(" ")
        return self._keys.now().find(presented) if self._keys else None
