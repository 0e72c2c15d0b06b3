"""Who is calling: the API key in a request, and the tenant it belongs to."""

from dataclasses import dataclass, field

from pecia_core.keys import KeyRecord, KeyRing
from pecia_identity.keys_file import watched_keys
from pecia_identity.watched import Watched
from starlette.requests import Request

from pecia_gateway.settings import AuthSettings

# What OpenAI, docling and Azure clients send; the first that is there counts.
_PLAIN_HEADERS = ("x-api-key", "api-key", "ocp-apim-subscription-key")
_SCHEMES = {"bearer", "token"}


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
        self._keys: Watched[KeyRing] | None = (
            watched_keys(settings.keys_file, settings.reload_s) if settings.keys_file else None
        )

    @property
    def records(self) -> tuple[KeyRecord, ...]:
        """All keys there are; none where nobody needs one."""
        return tuple(self._keys.now()) if self._keys else ()

    def authenticate(self, request: Request) -> Caller:
        """The caller.

        Raises:
            Unauthenticated: no key, or one that does not work.
        """
        presented = _presented(request)
        if self._keys is None:
            return Caller("default", "", presented)
        record = self._keys.now().admit(presented)
        return Caller(record.tenant, record.id, presented, record)

    def find(self, request: Request) -> KeyRecord | None:
        """Whose key it is, whether or not it works; None = nobody's."""
        return self._keys.now().find(_presented(request)) if self._keys else None


def _presented(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES and key.strip():
        return key.strip()
    return next((request.headers[name] for name in _PLAIN_HEADERS if request.headers.get(name)), "")
