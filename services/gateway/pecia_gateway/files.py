"""The flow of the form routes: admit -> read the form -> each file's pages -> its lines."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter

from fastapi import Request
from fastapi.responses import Response
from pecia_core.errors import PeciaError
from pecia_core.recognition import Recognition, RecognizeOptions
from pecia_core.telemetry import request_id
from pecia_core.vocabulary import TaskType
from pydantic import BaseModel

from pecia_gateway.body import checked
from pecia_gateway.budget import Budget
from pecia_gateway.disconnection import while_connected
from pecia_gateway.gateway import Gateway
from pecia_gateway.intake import Form, Upload, UploadLimits, read_form
from pecia_gateway.inventory import cpu_model
from pecia_gateway.options import page_options
from pecia_gateway.pages import Picture, blaming, together
from pecia_gateway.problems import problem_of
from pecia_gateway.reader import Reader
from pecia_gateway.rendering import ocr_response
from pecia_gateway.schemas.ocr import FileProblem, FileResult, OcrResponse, OcrResults
from pecia_gateway.schemas.openai import PageRequest
from pecia_gateway.visits import Visit, admitted

_FIELD = "file"
# Files of one form at once; each file's pages are bounded of their own.
_FILES_AT_ONCE = 2


async def read_files(request: Request, gateway: Gateway) -> Response:
    """Answer one form.

    Raises:
        PeciaError: the form is refused, or its only file cannot be read.
    """
    with admitted(request, gateway) as visit:
        form = await read_form(request, UploadLimits.of(gateway.settings.limits))
        options = await _options(form.fields, gateway)
        answer = await while_connected(request.receive, _answer(form, options, visit))
        return Response(answer.model_dump_json(), media_type="application/json", headers=visit.headers)


async def _options(fields: Mapping[str, str], gateway: Gateway) -> RecognizeOptions:
    asked = {name: value for name, value in fields.items() if value}
    asked.setdefault("task_type", TaskType.LINES.value)
    if "model" not in asked:
        asked["model"] = cpu_model(await gateway.client.describe())
    return page_options(checked(PageRequest, asked))


async def _answer(form: Form, options: RecognizeOptions, visit: Visit) -> BaseModel:
    reader, budget = visit.reader(), Budget(visit.gateway.settings.limits)
    for upload in form.uploads:
        budget.take(upload, _FIELD)
    if len(form.uploads) == 1:
        return await _read(form.uploads[0], options, _Reading(reader, budget, visit))
    results = await together(
        (
            _result(index, upload, options, _Reading(reader, budget, visit))
            for index, upload in enumerate(form.uploads)
        ),
        at_once=_FILES_AT_ONCE,
    )
    return OcrResults(results=results)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Who reads the files of a form, and what they may cost together."""

    reader: Reader
    budget: Budget
    visit: Visit


async def _result(
    index: int, upload: Upload, options: RecognizeOptions, reading: _Reading
) -> FileResult | FileProblem:
    try:
        answer = await _read(upload, options, reading)
    except PeciaError as error:
        reading.visit.note_reading()
        return FileProblem(filename=upload.filename, index=index, error=problem_of(error))
    return FileResult(filename=upload.filename, index=index, **answer.model_dump())


async def _read(upload: Upload, options: RecognizeOptions, reading: _Reading) -> OcrResponse:
    began = perf_counter()
    visit = reading.visit
    with blaming(_FIELD):
        intake, take_pages = visit.gateway.intake, reading.budget.take_pages
        pages = await intake.pages(upload, param=_FIELD, take_pages=take_pages)
    read: list[Recognition] = await reading.reader.read(
        [Picture(data, replace(options, page_index=index), _FIELD) for index, data in enumerate(pages)]
    )
    for page in read:
        visit.note(page)
    return ocr_response(read, request_id.get(), (perf_counter() - began) * 1000)
