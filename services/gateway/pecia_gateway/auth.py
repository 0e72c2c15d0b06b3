"""Who is calling: the API key in a request, and the tenant it belongs to."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from pecia_core.errors import Unauthenticated
from pecia_core.keys import KeyRecord, KeyRing, parse_keys
from starlette.requests import Request

from pecia_gateway.settings import AuthSettings

log = logging.getLogger(__name__)

# What OpenAI, docling and Azure clients send; the first that is there counts.
_PLAIN_HEADERS = ("x-api-key", "api-key", "ocp-apim-subscription-key")
_SCHEMES = {"bearer", "token"}
_NO_FILE = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `bearer` is the key as presented, to be handed on and never shown."""

    tenant: str
    key_id: str
    bearer: str = field(default="", repr=False)
    record: KeyRecord | None = field(default=None, repr=False)


class Authenticator:
    """Tells callers by their keys; without a keys file everybody is the tenant `default`."""

    def __init__(self, settings: AuthSettings) -> None:
        """Read the keys.

        Raises:
            ValueError, OSError: the file cannot be used; the gateway must not start open by mistake.
        """
        self._settings = settings
        self._ring: KeyRing | None = None
        self._looked_at = monotonic()
        self._seen = _NO_FILE
        if settings.keys_file is not None:
            self._seen = _version(settings.keys_file)
            self._ring = parse_keys(settings.keys_file.read_text())

    def authenticate(self, request: Request) -> Caller:
        """The caller.

        Raises:
            Unauthenticated: no key, or one that is not known.
        """
        presented = _presented(request)
        if self._settings.keys_file is None:
            return Caller("default", "", presented)
        self._reload(self._settings.keys_file)
        record = self._ring.find(presented) if self._ring and presented else None
        if record is None:
            said = "This API key is not known." if presented else "This request carries no API key."
            raise Unauthenticated(f"{said} Send 'Authorization: Bearer <key>' with a key of this gateway.")
        return Caller(record.tenant, record.id, presented, record)

    def _reload(self, path: Path) -> None:
        """Take in a changed file; one that is broken or gone leaves the keys as they were."""
        if monotonic() - self._looked_at < self._settings.reload_s:
            return
        self._looked_at = monotonic()
        version = _version(path)
        if version == self._seen:
            return
        self._seen = version
        try:
            self._ring = parse_keys(path.read_text())
        except (OSError, ValueError) as error:
            log.error(  # noqa: TRY400 - the reason says all, and once
                "The changed keys file cannot be used; the former keys stay in force",
                extra={"reason": str(error)},
            )
        else:
            log.info("API keys reloaded", extra={"keys": len(self._ring)})


def _version(path: Path) -> tuple[int, int, int]:
    """What changes when the file does, also when another one is put in its place."""
    try:
        stat = path.stat()
    except OSError:
        return _NO_FILE
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _presented(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES and key.strip():
        return key.strip()
    return next((request.headers[name] for name in _PLAIN_HEADERS if request.headers.get(name)), "")
