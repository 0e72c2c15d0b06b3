"""What routes of jobs have in common: the visit, the parts of their addresses, and that there are two."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from pecia_gateway.gateway import TheGateway
from pecia_gateway.schemas.problem import problems
from pecia_gateway.visits import Visit, admitted

LOOKING = problems(400, 401, 403, 404, 413, 429, 500, 503)
CHANGING = problems(400, 401, 403, 404, 409, 413, 429, 500, 503)

JobId = Annotated[
    str,
    Path(description="As it was given when the job was made.", examples=["a.pdf_20251121_120000_0123abcd"]),
]
PageNumber = Annotated[int, Path(ge=1, le=1 << 31, description="Of the document, from 1.")]


async def _visiting(request: Request, response: Response, gateway: TheGateway) -> AsyncIterator[Visit]:
    with admitted(request, gateway) as visit:
        response.headers.update(visit.headers)
        yield visit


TheVisit = Annotated[Visit, Depends(_visiting)]


def twins(router: APIRouter) -> Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]:
    """A decorator: a route with /v1 before it, and the same without, which the document leaves out."""

    def both(method: str, path: str, **documented: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: ANN401 - FastAPI's own options
        def add(route: Callable[..., Any]) -> Callable[..., Any]:
            router.add_api_route("/v1" + path, route, methods=[method], **documented)
            router.add_api_route(path, route, methods=[method], include_in_schema=False)
            return route

        return add

    return both
