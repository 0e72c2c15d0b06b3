"""POST /v1/ocr, /v1/ocr/receipt, /v1/parse: files in a form, their lines back. All three are the same."""

from fastapi import APIRouter, Request, Response
from pecia_core.keys import Scope

from pecia_gateway.access import needs
from pecia_gateway.files import read_files
from pecia_gateway.gateway import TheGateway
from pecia_gateway.schemas.caching import ASKING, TELLING
from pecia_gateway.schemas.ocr import OcrForm, OcrResponse, OcrResults
from pecia_gateway.schemas.problem import READING, problems

router = APIRouter(tags=["Lines"], dependencies=[needs(Scope.OCR)])
PATHS = ("/v1/ocr/receipt", "/v1/ocr", "/v1/parse")


async def read_lines(request: Request, gateway: TheGateway) -> Response:
    """Send `multipart/form-data` with one `file`, or several `files`.

    One file comes back as one object with `lines`; several as `results`, each with its own outcome.
    A blank page is an empty list of lines. `x-ocr-cache` says whether all pages are from results that
    were kept (`hit`) or were read (`miss`); `Cache-Control: no-cache` has them read now.
    """
    return await read_files(request, gateway)


for _path in PATHS:
    router.add_api_route(
        _path,
        read_lines,
        methods=["POST"],
        summary="Read the lines of pictures",
        operation_id="read_lines_" + _path.rpartition("/")[2],
        responses={
            200: {"model": OcrResponse | OcrResults, "description": "The lines.", **TELLING},
            **problems(*READING),
        },
        openapi_extra={
            **ASKING,
            "requestBody": {
                "required": True,
                "content": {
                    "multipart/form-data": {"schema": {"$ref": f"#/components/schemas/{OcrForm.__name__}"}}
                },
            },
        },
    )
