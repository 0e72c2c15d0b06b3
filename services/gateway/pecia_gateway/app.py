"""The composition root: settings in, a running gateway out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from time import time

from fastapi import FastAPI
from pecia_core.telemetry import RequestMetrics
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from pecia_gateway.admission import Admission
from pecia_gateway.auth import Authenticator
from pecia_gateway.docs_page import add_docs_page
from pecia_gateway.gateway import Gateway
from pecia_gateway.intake import Intake
from pecia_gateway.middleware import BodyBounds, BodyBudget, BodyLimit, HttpMetrics, RequestContext
from pecia_gateway.ocr_client import OcrClient
from pecia_gateway.openapi import DocumentedApi
from pecia_gateway.problems import add_problem_handlers, response_of
from pecia_gateway.routes import health, models, ocr, openai
from pecia_gateway.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The application; it connects to nothing before it is started."""
    registry = CollectorRegistry()
    app = DocumentedApi(
        title="pecia",
        version=version("pecia-gateway"),
        lifespan=_lifespan,
        middleware=_middleware(settings, registry),
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.registry = registry
    app.needs_keys = settings.auth.keys_file is not None
    add_problem_handlers(app)
    for routes in (openai, ocr, models, health):
        app.include_router(routes.router)
    add_docs_page(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    registry: CollectorRegistry = app.state.registry
    gateway = Gateway(
        settings=settings,
        authenticator=Authenticator(settings.auth),
        admission=Admission(settings.auth),
        intake=Intake(settings.limits, settings.fetch, settings.pdf),
        client=OcrClient(settings.ocr),
        registry=registry,
        metrics=RequestMetrics(registry, "gateway"),
        started_at=time(),
    )
    app.state.gateway = gateway
    try:
        yield
    finally:
        await gateway.client.close()
        await gateway.intake.close()


def _middleware(settings: Settings, registry: CollectorRegistry) -> list[Middleware]:
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(settings.http.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
        ),
        Middleware(RequestContext, respond=response_of, metrics=HttpMetrics(registry)),
        Middleware(
            BodyLimit,
            bounds=BodyBounds(settings.limits.max_body_bytes),
            budget=BodyBudget(settings.limits.max_buffered_bytes),
            respond=response_of,
        ),
    ]
