"""GET /jobs/{id}/deliveries, POST .../{delivery}/replay, GET /v1/webhooks/secrets: what callers are told."""

from typing import Annotated

from fastapi import APIRouter, Path
from pecia_core.keys import Scope
from pecia_jobs.outbox import DeliveryRecord

from pecia_gateway.access import needs
from pecia_gateway.routes.of_a_job import JobId, TheVisit
from pecia_gateway.schemas.deliveries import DeliveryList, DeliveryView, WebhookSecrets
from pecia_gateway.schemas.problem import problems

router = APIRouter(tags=["Webhooks"], dependencies=[needs(Scope.JOBS)])
DeliveryId = Annotated[str, Path(description="As listed.")]
_REFUSALS = problems(400, 401, 403, 404, 413, 429, 500, 503)


@router.get("/jobs/{job_id}/deliveries", include_in_schema=False)
@router.get("/v1/jobs/{job_id}/deliveries", summary="See who was told of a job", responses=_REFUSALS)
async def list_deliveries(visit: TheVisit, job_id: JobId) -> DeliveryList:
    """Every message about a job: what has arrived, what is tried again, and what was given up."""
    found = await visit.gateway.desk.outside.deliveries(visit.caller.tenant, job_id)
    return DeliveryList(deliveries=[_view(record) for record in found])


@router.post("/jobs/{job_id}/deliveries/{delivery_id}/replay", include_in_schema=False)
@router.post(
    "/v1/jobs/{job_id}/deliveries/{delivery_id}/replay", summary="Send a message again", responses=_REFUSALS
)
async def replay_delivery(visit: TheVisit, job_id: JobId, delivery_id: DeliveryId) -> DeliveryView:
    """Send it again now, under the same id and with all its tries, whatever became of it before."""
    record = await visit.gateway.desk.outside.replay(visit.caller.tenant, job_id, delivery_id)
    visit.audit("job.delivery_replayed", job_id)
    return _view(record)


@router.get(
    "/v1/webhooks/secrets",
    summary="Look up the secrets of your webhooks",
    responses=problems(400, 401, 403, 404, 413, 429, 500, 503),
)
async def webhook_secrets(visit: TheVisit) -> WebhookSecrets:
    """Each `whsec_...` checks `webhook-signature` as Standard Webhooks says. Keep them to yourself."""
    visit.audit("webhook.secrets_read")
    return WebhookSecrets(secrets=visit.gateway.desk.outside.secrets(visit.caller.tenant))


def _view(record: DeliveryRecord) -> DeliveryView:
    return DeliveryView.model_validate(
        {
            "id": record.id,
            "kind": record.kind,
            "url": record.url,
            "status": record.status,
            "attempts": record.attempts,
            "last_status": record.last_status,
            "error": record.error,
            "created_at": record.created,
            "delivered_at": record.delivered,
            "next_attempt_at": record.next_attempt,
        }
    )
