"""Who calls, by the bearer key in the call's metadata; the same keys and limits as REST."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from pecia_core.errors import Unauthenticated
from pecia_core.keys import KeyRecord, KeyRing, parse_keys
from pecia_core.limits import TenantLimits

log = logging.getLogger(__name__)

ANONYMOUS = "default"
# For whom the call at hand is answered; it follows awaits like the request's id.
tenant: ContextVar[str] = ContextVar("tenant", default=ANONYMOUS)


class Door:
    """Lets callers in; open to everybody while there is no keys file."""

    def __init__(self, keys_file: Path | None) -> None:
        """Read the keys.

        Raises:
            ValueError, OSError: the keys file cannot be used; the service must not start open by mistake.
        """
        self._keys: KeyRing | None = parse_keys(keys_file.read_text()) if keys_file else None
        self._limits = TenantLimits()

    @contextmanager
    def enter(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Hold a place for one call and give its tenant.

        Raises:
            Unauthenticated: no key, or one that is not known.
            Overloaded: this key's rate or calls in flight are used up.
        """
        if self._keys is None:
            yield metadata.get("x-pecia-tenant", ANONYMOUS)
            return
        record = self._find(metadata)
        with self._limits.admit(record):
            # Only services of our own may speak for somebody else.
            yield metadata.get("x-pecia-tenant", record.tenant) if record.trusted else record.tenant

    def _find(self, metadata: Mapping[str, str]) -> KeyRecord:
        scheme, _, presented = metadata.get("authorization", "").partition(" ")
        record = self._keys.find(presented) if self._keys and scheme.lower() == "bearer" else None
        if record is None:
            raise Unauthenticated("This call needs metadata 'authorization: Bearer <key>' with a known key.")
        return record
