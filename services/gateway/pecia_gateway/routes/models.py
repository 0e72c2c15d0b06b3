"""GET /models, /v1/models, /v1/models/{id}: the names a caller may use."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pecia_core.errors import NotFound
from pecia_core.keys import Scope

from pecia_gateway.access import needs
from pecia_gateway.gateway import Gateway, TheGateway
from pecia_gateway.inventory import model_list
from pecia_gateway.schemas.completions import Model, ModelList
from pecia_gateway.schemas.problem import problems
from pecia_gateway.visits import identified

router = APIRouter(tags=["Models"], dependencies=[needs(Scope.OCR, Scope.JOBS)])
_MAX_NAME = 64
ModelId = Annotated[str, Path(description="As listed; may hold a colon.", examples=["auto"])]


@router.get("/models", include_in_schema=False)
@router.get("/v1/models", summary="List the models", responses=problems(401, 403, 413, 500))
async def list_models(request: Request, gateway: TheGateway) -> ModelList:
    """Engines that answer, sizes of DeepSeek-OCR, and `auto`; /models is the same."""
    return await _models(request, gateway)


@router.get(
    "/v1/models/{model_id}", summary="Look up a model", responses=problems(400, 401, 403, 404, 413, 500)
)
async def get_model(request: Request, gateway: TheGateway, model_id: ModelId) -> Model:
    """One name and what answers to it."""
    known = (await _models(request, gateway)).data
    for model in known:
        if model.id == model_id:
            return model
    there_is = ", ".join(model.id for model in known)
    raise NotFound(
        f"There is no model {model_id[:_MAX_NAME]!r} here. There is: {there_is}.",
        code="model_not_found",
        param="model",
    )


async def _models(request: Request, gateway: Gateway) -> ModelList:
    identified(request, gateway)
    return model_list(
        await gateway.client.describe(),
        created=int(gateway.started_at),
        gpu_autofallback=gateway.settings.models.gpu_autofallback,
    )
