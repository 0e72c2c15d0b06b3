"""The OpenAPI document: what FastAPI finds, and the request bodies, which the routes read themselves."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from pecia_gateway.access import scopes_of
from pecia_gateway.schemas.deliveries import Decision
from pecia_gateway.schemas.jobs import JobForm, PdfForm
from pecia_gateway.schemas.ocr import OcrForm
from pecia_gateway.schemas.openai import ChatCompletionRequest, CompletionRequest

DESCRIPTION = """Reads pictures and short PDFs: text, lines, boxes and confidences. Long documents are jobs:
made with `POST /v1/jobs`, read page by page, followed and fetched when it suits.

Errors have one shape everywhere, `{"error": {message, type, param, code}, "detail": message}`, and
every answer has an `x-request-id`, under which the logs tell what happened.
"""
_BODIES = (ChatCompletionRequest, CompletionRequest, OcrForm, JobForm, PdfForm, Decision)


class DocumentedApi(FastAPI):
    """A FastAPI whose document is complete. `needs_keys` = callers have to show an API key."""

    needs_keys = False

    def openapi(self) -> dict[str, Any]:
        """The document; made when it is first asked for, after all routes are there."""
        if self.openapi_schema is None:
            self.openapi_schema = _document(self)
        return self.openapi_schema


def _document(app: DocumentedApi) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    _, bodies = models_json_schema(
        [(body, "validation") for body in _BODIES], ref_template="#/components/schemas/{model}"
    )
    document["components"]["schemas"].update(bodies["$defs"])
    _forget_framework_refusals(document)
    if app.needs_keys:
        _ask_for_keys(document, app.routes)
    return document


def _forget_framework_refusals(document: dict[str, Any]) -> None:
    # FastAPI announces 422 for every parameter; here it is a 400 in the one shape of all problems.
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for schema in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(schema, None)


def _ask_for_keys(document: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    document["components"]["securitySchemes"] = {"ApiKey": {"type": "http", "scheme": "bearer"}}
    for route in iter_route_contexts(routes):
        operations = document["paths"].get(route.path, {})
        for method, operation in operations.items():
            if method.upper() in (route.methods or ()) and (scopes := scopes_of(route)):
                operation["security"] = [{"ApiKey": [scope.value]} for scope in scopes]
