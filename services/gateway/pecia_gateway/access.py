"""What a route is open to: every one says it, and a key that lacks it is refused."""

from collections.abc import Iterable

from fastapi import Request
from fastapi.params import Depends
from fastapi.routing import RouteContext
from pecia_core.keys import Scope

# Addresses that ask for no key: probes, what tells of itself, and callbacks, which are signed instead.
OPEN = frozenset(
    {"/live", "/ready", "/health", "/metrics", "/v1/capacity", "/v1/reviews/{review_id}", "/docs"}
)


class Needs:
    """A dependency of a route or router: a key needs one of these scopes."""

    def __init__(self, *scopes: Scope) -> None:
        """The first is the one that a refusal names."""
        self.scopes = scopes

    async def __call__(self, request: Request) -> None:
        """Leave word for who looks at the key."""
        request.state.scopes = self.scopes


def needs(*scopes: Scope) -> Depends:
    """For `dependencies=` of a route or router."""
    return Depends(Needs(*scopes))


def wanted_of(request: Request) -> tuple[Scope, ...]:
    """What the route of a request needs.

    Raises:
        RuntimeError: it does not say: nobody is let in by mistake.
    """
    scopes: tuple[Scope, ...] = getattr(request.state, "scopes", ())
    if not scopes:
        raise RuntimeError("this route does not say what a key needs: give its router `needs(...)`")
    return scopes


def scopes_of(route: RouteContext) -> tuple[Scope, ...]:
    """What a route declares; () = nothing."""
    declared: Iterable[Depends] = getattr(route, "dependencies", ())
    found = [one.dependency.scopes for one in declared if isinstance(one.dependency, Needs)]
    return found[-1] if found else ()
