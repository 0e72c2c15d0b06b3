"""POST /v1/reviews/{id}: what the review service decided. It has no API key; it signs what it says."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pecia_identity.audit_log import Act

from pecia_gateway.gateway import TheGateway
from pecia_gateway.schemas.deliveries import Decided, Decision
from pecia_gateway.schemas.problem import problems
from pecia_gateway.visits import source_of

router = APIRouter(tags=["Webhooks"])
SIGNATURE = "x-buli2-signature"
ReviewId = Annotated[str, Path(description="As the review service was told in `callbackUrl`.")]


@router.post(
    "/v1/reviews/{review_id}",
    summary="Take a reviewer's decision",
    responses=problems(400, 401, 404, 409, 413, 500, 503),
    openapi_extra={
        "parameters": [
            {
                "name": SIGNATURE,
                "in": "header",
                "required": True,
                "description": "`sha256=` and the hexadecimal HMAC-SHA256 of the body, by the shared secret.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": f"#/components/schemas/{Decision.__name__}"}}
            },
        },
    },
)
async def take_decision(request: Request, gateway: TheGateway, review_id: ReviewId) -> Decided:
    """For the review service alone. Said twice it changes nothing; said otherwise later it is a 409."""
    decision = await gateway.desk.outside.callbacks.read(request, request.headers.get(SIGNATURE, ""))
    review = await gateway.desk.outside.callbacks.decide(review_id, decision)
    act = Act("review.decided", tenant=review.tenant, target=review.id, source=source_of(request))
    gateway.audit.record(act)
    return Decided(
        review_id=review.id, decision=decision.decision, decided_at=review.decided or review.created
    )
