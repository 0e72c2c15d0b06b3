"""API keys: who may call, and how much. Only hashes are kept.

A key is `pk_<8 characters of its id>_<secret>`. A plain SHA-256 is enough: the secret holds 256
random bits, so there is nothing to guess.
"""

import hmac
import re
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

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
}


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
    """

    id: str
    tenant: str
    sha256: str = field(repr=False)
    requests_per_minute: int = 600
    max_in_flight: int = 16
    trusted: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not work; no message shows the hash, which may be a key put there by mistake."""
        if not (_NAME.fullmatch(self.id) and _NAME.fullmatch(self.tenant)):
            raise ValueError("id and tenant are 1 to 64 letters, digits, dots, dashes or underscores")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 is 64 lower-case hexadecimal digits: the hash of the key, not the key")
        if self.requests_per_minute < 0 or self.max_in_flight < 0:
            raise ValueError("requests_per_minute and max_in_flight are 0 (no limit) or more")


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
        return KeyRecord(**table)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def hash_key(key: str) -> str:
    """The hash a keys file holds, hexadecimal. Any text has one, even text that is no valid Unicode."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key() -> str:
    """A key nobody has."""
    return f"pk_{secrets.token_hex(_ID_BYTES)}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def create_key(tenant: str) -> tuple[str, str]:
    """A new key and the snippet that makes a keys file know it.

    Returns:
        The key, which exists nowhere else and is to be handed to its owner; and TOML to append.

    Raises:
        ValueError: not a name a tenant can have.
    """
    key = new_key()
    record = KeyRecord(id=key.split("_")[1], tenant=tenant, sha256=hash_key(key))
    snippet = (
        "[[keys]]\n"
        f'id = "{record.id}"\n'
        f'tenant = "{record.tenant}"\n'
        f'sha256 = "{record.sha256}"\n'
        f"requests_per_minute = {record.requests_per_minute}\n"
        f"max_in_flight = {record.max_in_flight}\n"
        "trusted = false\n"
    )
    return key, snippet
