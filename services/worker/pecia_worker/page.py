"""The whole path of a page, from its lease to its result."""

import time
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from pecia_core.errors import InvalidDocument
from pecia_core.formats import page_text
from pecia_core.recognition import Recognition
from pecia_core.vocabulary import TaskType
from pecia_jobs.blobs import Blobs, figure_key, page_key
from pecia_jobs.inputs import Inputs
from pecia_jobs.model import Lease, PageResult, PageSource
from pecia_jobs.results import encoded, page_result
from pecia_jobs.sheets import Pages
from pecia_jobs.store import JobSpec

from pecia_worker.metrics import Metrics
from pecia_worker.patience import Patience
from pecia_worker.reading import Reader
from pecia_worker.specs import Specs

# Other tasks ask what a page looks like; its text layer cannot tell.
_TEXT_TASKS = frozenset({TaskType.FREE_OCR, TaskType.MARKDOWN, TaskType.LINES})


@dataclass(frozen=True, slots=True)
class Desk:
    """All that the reading of a page takes."""

    specs: Specs
    inputs: Inputs
    reader: Reader
    blobs: Blobs
    patience: Patience
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class _Answer:
    source: PageSource
    read: Recognition


async def read_page(lease: Lease, desk: Desk) -> PageResult:
    """What was asked, the document, its text or a picture of the page and what OCR reads there; then a blob.

    Raises:
        PeciaError: the page is at fault, or was tried in vain.
        Draining: somebody is away and the worker stops.
    """
    began = time.monotonic()
    spec = await desk.specs.of(lease)
    async with desk.inputs.open(spec) as pages:
        answer = await _own_text(pages, lease, spec, desk) or await _seen_text(pages, lease, spec, desk)
    blob = encoded(page_result(lease, spec.options.recognize.task_type, answer.source, answer.read))
    key = page_key(lease.tenant, lease.job_id, lease.number, lease.token)
    stored = len(blob)
    # Before what names them: whoever reads the result finds them.
    for figure in answer.read.figures:
        put = partial(desk.blobs.put, figure_key(key, figure.name), figure.jpeg)
        await desk.patience.through("blobs", put)
        stored += len(figure.jpeg)
    await desk.patience.through("blobs", lambda: desk.blobs.put(key, blob))
    desk.metrics.page_seconds.labels(answer.source).observe(time.monotonic() - began)
    return PageResult(
        lease=lease,
        result_key=key,
        result_sha256=sha256(blob).hexdigest(),
        result_bytes=stored,
        source=answer.source,
        engine=answer.read.engine,
        fallback_from=answer.read.fallback_from,
        confidence=_confidence(answer.read),
    )


def _confidence(read: Recognition) -> float | None:
    """Whether a person has to look: that two engines disagree counts for more than the word of one."""
    return read.page.confidence if read.agreement is None else read.agreement


async def _own_text(pages: Pages, lease: Lease, spec: JobSpec, desk: Desk) -> _Answer | None:
    """What the PDF says of the page itself, where that was asked for and can be trusted."""
    task = spec.options.recognize.task_type
    if not spec.options.text_layer or task not in _TEXT_TASKS:
        return None
    try:
        layer = await pages.text_layer(lease.number, spec.options.dpi)
    except InvalidDocument:  # a page whose text is broken or endless may well be drawn
        return None
    if layer is None:
        return None
    desk.metrics.text_layers.labels(layer.verdict).inc()
    if layer.page is None:
        return None
    return _Answer(PageSource.TEXT, Recognition(layer.page, page_text(layer.page, task), engine=""))


async def _seen_text(pages: Pages, lease: Lease, spec: JobSpec, desk: Desk) -> _Answer:
    """What OCR reads in a picture of the page."""
    with desk.metrics.render_seconds.time():
        picture = await pages.picture(lease.number, spec.options.dpi)
    return _Answer(PageSource.OCR, await desk.reader.read(picture, spec, lease))
