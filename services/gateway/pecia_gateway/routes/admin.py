"""GET /v1/keys, GET and DELETE /v1/tenants/{tenant}: for operators, with a key of the scope `admin`."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pecia_core.keys import KeyRecord, Scope
from pecia_core.telemetry import request_id
from pecia_dispatch import Call
from pecia_jobs.erasure import Holdings

from pecia_gateway.access import needs
from pecia_gateway.gateway import Gateway
from pecia_gateway.routes.of_a_job import TheVisit
from pecia_gateway.schemas.admin import HoldingsView, KeyList, KeyView, TenantGone, TenantView
from pecia_gateway.schemas.problem import problems

router = APIRouter(tags=["Administration"], dependencies=[needs(Scope.ADMIN)])
_REFUSALS = problems(400, 401, 403, 404, 413, 429, 500, 503)
# Seconds a pod has to forget, and the log to take the receipt in.
_FORGET_S = 30.0
_RECEIPT_S = 2.0
# Seconds a pod has to say when keys were used there.
_TELL_S = 3.0
TenantName = Annotated[
    str, Path(pattern="^[A-Za-z0-9._-]{1,64}$", description="As in the keys file.", examples=["acme"])
]


@router.get("/v1/keys", summary="List the keys", responses=_REFUSALS)
async def list_keys(visit: TheVisit) -> KeyList:
    """Each key with its scopes, its end and when it was used last; never the key itself."""
    gateway = visit.gateway
    # gRPC callers use the same keys, and only the pods have seen them.
    call = Call(request_id.get(), visit.caller.tenant, _TELL_S, visit.caller.bearer)
    gateway.uses.learn(await gateway.client.key_uses(call))
    used = await gateway.uses.all()
    visit.audit("keys.listed")
    return KeyList(keys=[_key(one, used.get(one.id)) for one in visit.gateway.authenticator.records])


@router.get("/v1/tenants/{tenant}", summary="See what there is of a tenant", responses=_REFUSALS)
async def get_tenant(visit: TheVisit, tenant: TenantName) -> TenantView:
    """Counts only. One that never was has none of everything."""
    holdings = await visit.gateway.desk.erasure.holdings(tenant)
    visit.audit("tenant.counted", tenant)
    return TenantView(tenant=tenant, holdings=_view(holdings), live_keys=_live(visit.gateway, tenant))


@router.delete("/v1/tenants/{tenant}", summary="Delete all data of a tenant", responses=_REFUSALS)
async def delete_tenant(visit: TheVisit, tenant: TenantName) -> TenantGone:
    """Jobs, documents, results, messages, reviews and kept readings; what was there and what is left.

    Revoke the tenant's keys first. Asked again it goes on where it was interrupted. The receipt is in the
    audit log before the answer is out, if its disk is not slow.
    """
    gateway = visit.gateway
    had = await gateway.desk.erasure.holdings(tenant)
    visit.audit("tenant.deletion_begun", tenant, had=asdict(had))
    await gateway.desk.erasure.erase(tenant)
    call = Call(request_id.get(), visit.caller.tenant, _FORGET_S, visit.caller.bearer)
    results = await gateway.client.forget(tenant, call)
    left = await gateway.desk.erasure.holdings(tenant)
    # Without any pod nobody knows what a shared cache still holds.
    gone = left == Holdings() and bool(results) and None not in results.values()
    visit.audit("tenant.deleted", tenant, had=asdict(had), left=asdict(left), results=results, gone=gone)
    await asyncio.to_thread(gateway.audit.settled, _RECEIPT_S)
    return TenantGone(
        tenant=tenant,
        had=_view(had),
        left=_view(left),
        results=results,
        live_keys=_live(gateway, tenant),
        gone=gone,
    )


def _live(gateway: Gateway, tenant: str) -> list[str]:
    now = datetime.now(UTC)
    return [one.id for one in gateway.authenticator.records if one.tenant == tenant and not one.ended(now)]


def _view(holdings: Holdings) -> HoldingsView:
    return HoldingsView.model_validate(asdict(holdings))


def _key(record: KeyRecord, used: float | None) -> KeyView:
    return KeyView(
        id=record.id,
        tenant=record.tenant,
        name=record.name,
        scopes=[scope.value for scope in record.scopes],
        trusted=record.trusted,
        created_at=_seconds(record.created),
        expires_at=_seconds(record.expires),
        revoked_at=_seconds(record.revoked),
        last_used_at=used,
    )


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
