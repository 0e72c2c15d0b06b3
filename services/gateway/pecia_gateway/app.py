"""The composition root: settings in, a running gateway out."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from time import time

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pecia_core.pdf import RenderLimits
from pecia_core.telemetry import RequestMetrics, show_walls
from pecia_dispatch import Call, OcrClient
from pecia_identity.audit_log import AuditLog
from pecia_wall import Bearing, Walls
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from pecia_gateway.admission import Admission
from pecia_gateway.auth import Authenticator
from pecia_gateway.desk import JobStores
from pecia_gateway.docs_page import add_docs_page
from pecia_gateway.gateway import Gateway
from pecia_gateway.gauges import FleetGauges
from pecia_gateway.intake import Intake
from pecia_gateway.key_use import Elsewhere
from pecia_gateway.middleware import (
    BodyBounds,
    BodyBudget,
    BodyLimit,
    Harmless,
    HttpMetrics,
    RequestContext,
)
from pecia_gateway.openapi import DocumentedApi
from pecia_gateway.problems import add_problem_handlers, response_of
from pecia_gateway.routes import (
    admin,
    deliveries,
    figures,
    health,
    jobs,
    models,
    ocr,
    openai,
    pages,
    reviews,
)
from pecia_gateway.settings import JobSettings, Settings

# What a form has beside its document.
_FORM_BYTES = 1 << 20
# Seconds a pod has to say when keys were used there.
_TELL_S = 3.0


def create_app(settings: Settings, bearing: Bearing | None = None) -> FastAPI:
    """The application; it connects to nothing before it is started.

    Args:
        settings: of the gateway.
        bearing: what holds the processes that draw PDFs, to be told; None = nobody has looked.
    """
    registry = CollectorRegistry()
    bounds = RenderLimits()
    walls = Walls(bearing, bounds.memory_bytes, bounds.page_timeout_s) if bearing else None
    if walls:
        show_walls(registry, "gateway", walls)
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
    app.state.walls = walls
    # Set when the process is told to stop: what would go on for hours ends then.
    app.state.leaving = asyncio.Event()
    app.needs_keys = settings.auth.keys_file is not None
    add_problem_handlers(app)
    add_docs_page(app)
    for routes in (openai, ocr, jobs, pages, figures, deliveries, reviews, admin, models, health):
        app.include_router(routes.router)
        _answer_head(app, routes.router.routes)
    _answer_head(app, app.routes)  # the page
    return app


def _answer_head(app: FastAPI, routes: Iterable[BaseRoute]) -> None:
    """Monitors ask with HEAD; FastAPI's routes, unlike Starlette's, know only the methods they name."""
    for route in tuple(routes):
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            app.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                include_in_schema=False,
                dependencies=route.dependencies,
            )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    registry: CollectorRegistry = app.state.registry
    stores = JobStores(settings)
    gateway = Gateway(
        settings=settings,
        authenticator=Authenticator(settings.auth),
        admission=Admission(settings.auth),
        intake=Intake(settings.limits, settings.fetch, settings.pdf, wall_required=settings.wall.required),
        desk=stores.desk,
        client=OcrClient(settings.ocr),
        registry=registry,
        metrics=RequestMetrics(registry, "gateway"),
        gauges=FleetGauges(registry),
        audit=AuditLog(settings.audit, "gateway"),
        uses=stores.key_use(),
        started_at=time(),
        walls=app.state.walls,
    )
    app.state.gateway = gateway
    stores.open()
    gateway.uses.open(_uses_at(gateway.client) if settings.auth.keys_file else None)
    try:
        yield
    finally:
        await gateway.client.close()
        await gateway.intake.close()
        await gateway.uses.close()
        await asyncio.to_thread(gateway.audit.close)
        await stores.close()


def _uses_at(client: OcrClient) -> Elsewhere:
    """Asked in the name of this service, which the pods believe where its calls are signed."""

    async def asked() -> Mapping[str, float]:
        return await client.key_uses(Call("key-uses", "", _TELL_S))

    return asked


def _middleware(settings: Settings, registry: CollectorRegistry) -> list[Middleware]:
    return [
        Middleware(Harmless),
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
            budget=BodyBudget(settings.limits.max_buffered_bytes, settings.limits.tenant_buffered_bytes),
            respond=response_of,
            exceptions=_large_bodies(settings.jobs),
        ),
    ]


def _large_bodies(settings: JobSettings) -> dict[str, BodyBounds]:
    """Documents of jobs are written away while they arrive."""
    bounds = BodyBounds(settings.max_upload_bytes + _FORM_BYTES, buffered=False)
    return dict.fromkeys((*jobs.CREATE_PATHS, *jobs.WAIT_PATHS), bounds)
