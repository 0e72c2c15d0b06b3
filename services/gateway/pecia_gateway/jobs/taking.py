"""From a form to a job: the document is written away while it arrives, counted, and only then taken in."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import _TemporaryFileWrapper
from time import time

from fastapi import Request
from pecia_core.errors import InvalidDocument, InvalidRequest, NotFound, Unavailable
from pecia_core.kinds import kind_of
from pecia_core.upload import Upload
from pecia_fetch.poster import check_receiver
from pecia_jobs.blobs import input_key
from pecia_jobs.ids import new_job_id
from pecia_jobs.model import Job, NewJob

from pecia_gateway.gateway import Gateway
from pecia_gateway.intake import DocumentForm, Spill, UploadLimits, read_document
from pecia_gateway.inventory import model_list
from pecia_gateway.jobs.fields import Wanted, idempotency_key, wanted
from pecia_gateway.jobs.selection import numbers
from pecia_gateway.pages import blaming
from pecia_gateway.visits import Visit

_FILE = "file"
_PREFIX = "pecia-upload-"
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Taken:
    """A job, and whether it was made now: False = under the same Idempotency-Key before."""

    job: Job
    made: bool


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A form whose document lies in `path`."""

    form: DocumentForm
    path: Path
    sha256: str
    size: int


async def take_in(request: Request, visit: Visit) -> Taken:
    """Make a job of a form.

    Raises:
        PeciaError: the form is refused, or there is no place for it. Nothing of it is left behind.
    """
    gateway = visit.gateway
    service = gateway.desk.service
    key = idempotency_key(request.headers.get("idempotency-key", ""))
    with gateway.desk.uploads.hold(visit.caller.tenant), _room(gateway) as file:
        spill = Spill(file)
        form = await read_document(request, _limits(gateway), spill)
        file.flush()
        arrived = _Arrived(form, Path(file.name), spill.sha256, spill.size)
        new = await _ordered(arrived, key, visit)
        return Taken(*await service.create(new, arrived.path))


@contextmanager
def _room(gateway: Gateway) -> Iterator["_TemporaryFileWrapper[bytes]"]:
    try:
        with tempfile.NamedTemporaryFile(prefix=_PREFIX, dir=gateway.settings.jobs.upload_folder) as file:
            yield file
    except OSError as error:
        raise Unavailable(
            "This machine has no room for the document while it arrives: its operator has to make some.",
            code="store_unavailable",
            retry_after=30,
        ) from error


def _limits(gateway: Gateway) -> UploadLimits:
    return UploadLimits(gateway.settings.jobs.max_upload_bytes, 1, gateway.settings.limits.max_parts)


async def _ordered(arrived: _Arrived, key: str, visit: Visit) -> NewJob:
    """The job as it is to be made: everything that can be refused has been."""
    gateway, tenant = visit.gateway, visit.caller.tenant
    settings = gateway.settings
    kind = kind_of(arrived.form.head, param=_FILE)
    asked = wanted(arrived.form.fields, settings.models.default_model, settings.pdf.dpi, time())
    if asked.webhook_url:
        check_receiver(asked.webhook_url, settings.webhooks, param="webhook_url")
        gateway.desk.outside.check_signing()
    await _check_model(asked, gateway)
    count = await _count(arrived, kind, asked, gateway)
    filename = _name(arrived.form.head)
    job_id = new_job_id(filename, time())
    return NewJob(
        id=job_id,
        tenant=tenant,
        filename=filename,
        media_type=kind,
        input_key=input_key(tenant, job_id, kind),
        input_sha256=arrived.sha256,
        input_bytes=arrived.size,
        page_numbers=numbers(asked.pages, count),
        document_pages=count,
        options=asked.options,
        priority=asked.priority,
        not_before=asked.not_before,
        idempotency_key=key,
        idempotency_digest=_digest(arrived, filename) if key else "",
        webhook_url=asked.webhook_url,
        password=asked.password,
    )


async def _count(arrived: _Arrived, kind: str, asked: Wanted, gateway: Gateway) -> int:
    most = gateway.settings.jobs.max_pages
    with blaming(_FILE):
        count = await gateway.intake.page_count(arrived.path, kind, asked.password, most)
    if count < 1:
        raise InvalidDocument("This document has no pages. Export it again.", code="invalid_pdf", param=_FILE)
    if count > most:
        raise InvalidRequest(
            f"The document has {count:,} pages or more; a job may have {most:,}. Split it.",
            code="pdf_too_many_pages",
            param=_FILE,
        )
    return count


async def _check_model(asked: Wanted, gateway: Gateway) -> None:
    """Refuse a name that nobody answers to. While no engine can be asked, any name may prove good."""
    name = asked.options.recognize.model
    fleet = await gateway.client.describe()
    fallback = gateway.settings.models.gpu_autofallback
    known = {model.id for model in model_list(fleet, created=0, gpu_autofallback=fallback).data}
    if fleet.engines and not fleet.trouble and name.casefold() not in known | {"auto"}:
        raise NotFound(
            f"There is no model {name[:64]!r} here. There is: {', '.join(sorted(known))}.",
            code="model_not_found",
            param="model",
        )


def _name(head: Upload) -> str:
    """The file's name without folders and without what no name has; shown to its owner again."""
    name = head.filename.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in name if character.isprintable()).strip()
    return shown[:_LONGEST_NAME] or "document"


def _digest(arrived: _Arrived, filename: str) -> str:
    """Of all that was asked, as it was sent; but not of the password, which a digest could be tried for."""
    fields: Mapping[str, str] = arrived.form.fields
    asked = sorted((name, value) for name, value in fields.items() if name != "password" and value)
    said = json.dumps([arrived.sha256, filename, asked], ensure_ascii=True)
    return hashlib.sha256(said.encode()).hexdigest()
