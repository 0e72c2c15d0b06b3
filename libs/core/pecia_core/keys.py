"""API keys: who may call, what, how much and until when. Only hashes are kept.

A key is `pk_<8 characters of its id>_<secret>`. A plain SHA-256 is enough: the secret holds 256
random bits, so there is nothing to guess.
"""

import hmac
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from pecia_core.errors import PermissionDenied, Unauthenticated

_ID_BYTES = 4
_SECRET_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPES: dict[str, type] = {
    "id": str,
    "tenant": str,
    "sha256": str,
    "requests_per_minute": int,
    "max_in_flight": int,
    "trusted": bool,
    "name": str,
    "scopes": list,
    "created": datetime,
    "expires": datetime,
    "revoked": datetime,
}
_ASK_FOR_ONE = "Send 'Authorization: Bearer <key>' with a key of this service."


class Scope(StrEnum):
    """What a key may be used for."""

    OCR = "ocr"  # have pages read
    JOBS = "jobs"  # make jobs, follow and fetch them
    ADMIN = "admin"  # look at keys, delete all that there is of a tenant


# Of records that say nothing: what every key could do before there were scopes.
USUAL_SCOPES = (Scope.OCR, Scope.JOBS)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key, as the keys file knows it.

    Attributes:
        id: names the key in logs and metrics.
        tenant: who owns it.
        sha256: of the whole key, hexadecimal.
        requests_per_minute: 0 = no limit.
        max_in_flight: requests at once; 0 = no limit.
        trusted: belongs to a service of this platform, whose word on the tenant is believed.
        name: what the owner uses it for; two keys of one name may be live, so that one can follow the other.
        scopes: what it may be used for.
        created: when it was made; None = not known.
        expires: when it stops working; None = never.
        revoked: when it was taken back; None = it was not.
    """

    id: str
    tenant: str
    sha256: str = field(repr=False)
    requests_per_minute: int = 600
    max_in_flight: int = 16
    trusted: bool = False
    name: str = ""
    scopes: tuple[Scope, ...] = USUAL_SCOPES
    created: datetime | None = None
    expires: datetime | None = None
    revoked: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what could not work; no message shows the hash, which may be a key put there by mistake."""
        if not (_NAME.fullmatch(self.id) and _NAME.fullmatch(self.tenant)):
            raise ValueError("id and tenant are 1 to 64 letters, digits, dots, dashes or underscores")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 is 64 lower-case hexadecimal digits: the hash of the key, not the key")
        if self.requests_per_minute < 0 or self.max_in_flight < 0:
            raise ValueError("requests_per_minute and max_in_flight are 0 (no limit) or more")
        if self.name and not _NAME.fullmatch(self.name):
            raise ValueError("name is 1 to 64 letters, digits, dots, dashes or underscores")
        if not self.scopes:
            raise ValueError("scopes names at least one of ocr, jobs, admin")
        if any(moment and not moment.tzinfo for moment in (self.created, self.expires, self.revoked)):
            raise ValueError("times carry their zone, as in 2027-01-31T00:00:00Z")

    def ended(self, now: datetime) -> str:
        """Why it does not work any more, as the end of a sentence; "" while it does."""
        if self.revoked is not None and now >= self.revoked:
            return "was revoked"
        if self.expires is not None and now >= self.expires:
            return f"expired at {self.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return ""

    def require(self, *scopes: Scope) -> None:
        """Refuse what the key is not for: it needs one of `scopes`.

        Raises:
            PermissionDenied: it has none; the code names the first.
        """
        if not set(scopes) & set(self.scopes):
            raise PermissionDenied(
                f"This key is not for that: it has {', '.join(self.scopes)}, and this needs "
                f"{' or '.join(scopes)}. Ask the operator for a key with this scope.",
                code=f"missing_scope_{scopes[0]}",
            )


class KeyRing:
    """All known keys."""

    def __init__(self, records: Iterable[KeyRecord] = ()) -> None:
        """Keep the records.

        Raises:
            ValueError: two records share an id or a hash.
        """
        self._records = tuple(records)
        for what in ("id", "sha256"):
            if len({getattr(record, what) for record in self._records}) < len(self._records):
                raise ValueError(f"two keys share one {what}")

    def __len__(self) -> int:
        return len(self._records)

    def find(self, presented: str) -> KeyRecord | None:
        """The record of a key, None for a wrong one.

        Every record is compared, each in constant time, so that the time taken tells nothing.
        """
        digest = hash_key(presented)
        found = None
        for record in self._records:
            if hmac.compare_digest(record.sha256, digest):
                found = record
        return found

    def __iter__(self) -> Iterator[KeyRecord]:
        return iter(self._records)

    def admit(self, presented: str, now: datetime | None = None) -> KeyRecord:
        """The record of a key that works; no message repeats any of what was presented.

        Raises:
            Unauthenticated: none, a wrong one, or one whose time is over.
        """
        record = self.find(presented) if presented else None
        if record is None:
            said = "This API key is not known." if presented else "This request carries no API key."
            raise Unauthenticated(f"{said} {_ASK_FOR_ONE}")
        if ended := record.ended(now or datetime.now(UTC)):
            raise Unauthenticated(f"This API key {ended}. Ask the operator for a new one.")
        return record


def parse_keys(toml_text: str) -> KeyRing:
    """Read a keys file: one `[[keys]]` table a key, with the fields of `KeyRecord`.

    Raises:
        ValueError: not such a file; the message names the place and never what stands there.
    """
    try:
        data = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the keys file is not TOML: {error}") from None
    tables = data.pop("keys", [])
    if data or not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise ValueError("the keys file holds [[keys]] tables and nothing else")
    return KeyRing(_record(place, table) for place, table in enumerate(tables, start=1))


def _record(place: int, table: Mapping[str, Any]) -> KeyRecord:
    where = f"key {place} of the keys file"
    if missing := {"id", "tenant", "sha256"} - set(table):
        raise ValueError(f"{where} lacks {', '.join(sorted(missing))}")
    if not set(table) <= set(_TYPES):
        raise ValueError(f"{where} may have only {', '.join(_TYPES)}")
    for name, value in table.items():
        if type(value) is not _TYPES[name]:
            raise ValueError(f"{where}: {name} must be of type {_TYPES[name].__name__}")
    try:
        return KeyRecord(**{**table, "scopes": _scopes(table.get("scopes", USUAL_SCOPES))})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _scopes(said: Iterable[object]) -> tuple[Scope, ...]:
    known = {scope.value: scope for scope in Scope}
    # What stands there may be a key put in the wrong place: it is not repeated.
    if any(not isinstance(word, str) or word not in known for word in said):
        raise ValueError(f"scopes may have only {', '.join(known)}")
    return tuple(scope for name, scope in known.items() if name in said)


def hash_key(key: str) -> str:
    """The hash a keys file holds, hexadecimal. Any text has one, even text that is no valid Unicode."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key() -> str:
    """A key nobody has."""
    return f"pk_{secrets.token_hex(_ID_BYTES)}_{secrets.token_urlsafe(_SECRET_BYTES)}"


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a new key is for; the fields are those of `KeyRecord`."""

    tenant: str
    name: str = ""
    scopes: tuple[Scope, ...] = USUAL_SCOPES
    expires: datetime | None = None
    trusted: bool = False


def make_key(wish: KeyWish) -> tuple[str, KeyRecord]:
    """A new key, which exists nowhere else and is to be handed to its owner, and what is kept of it.

    Raises:
        ValueError: not a name a tenant or key can have.
    """
    key = new_key()
    record = KeyRecord(
        id=key.split("_")[1],
        tenant=wish.tenant,
        sha256=hash_key(key),
        trusted=wish.trusted,
        name=wish.name,
        scopes=wish.scopes,
        created=datetime.now(UTC).replace(microsecond=0),
        expires=wish.expires.replace(microsecond=0) if wish.expires else None,
    )
    return key, record


def snippet_of(record: KeyRecord) -> str:
    """TOML that makes a keys file know it."""
    fields = {
        "id": f'"{record.id}"',
        "tenant": f'"{record.tenant}"',
        "name": f'"{record.name}"' if record.name else "",
        "sha256": f'"{record.sha256}"',
        "scopes": "[" + ", ".join(f'"{scope}"' for scope in record.scopes) + "]",
        "created": _moment(record.created),
        "expires": _moment(record.expires),
        "revoked": _moment(record.revoked),
        "requests_per_minute": str(record.requests_per_minute),
        "max_in_flight": str(record.max_in_flight),
        "trusted": str(record.trusted).lower(),
    }
    return "[[keys]]\n" + "".join(f"{name} = {value}\n" for name, value in fields.items() if value)


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""


def create_key(tenant: str) -> tuple[str, str]:
    """A new key with the usual scopes, and the snippet that makes a keys file know it.

    Raises:
        ValueError: not a name a tenant can have.
    """
    key, record = make_key(KeyWish(tenant))
    return key, snippet_of(record)
