"""Everything the routes stand on, built once by `app.create_app`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from pecia_core.telemetry import RequestMetrics
from pecia_dispatch import OcrClient
from pecia_identity.audit_log import AuditLog
from pecia_wall import Walls
from prometheus_client import CollectorRegistry

from pecia_gateway.admission import Admission
from pecia_gateway.auth import Authenticator
from pecia_gateway.desk import Desk
from pecia_gateway.gauges import FleetGauges
from pecia_gateway.intake import Intake
from pecia_gateway.key_use import KeyUse
from pecia_gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of a running gateway. `started_at` = seconds since 1970; `walls` None = nobody looked."""

    settings: Settings
    authenticator: Authenticator
    admission: Admission
    intake: Intake
    desk: Desk
    client: OcrClient
    registry: CollectorRegistry
    metrics: RequestMetrics
    gauges: FleetGauges
    audit: AuditLog
    uses: KeyUse
    started_at: float
    walls: Walls | None = None


async def gateway_of(request: Request) -> Gateway:
    """The gateway a request came to. Async, or FastAPI would have a thread look it up."""
    gateway: Gateway = request.app.state.gateway
    return gateway


# What a route asks for to get it.
TheGateway = Annotated[Gateway, Depends(gateway_of)]
