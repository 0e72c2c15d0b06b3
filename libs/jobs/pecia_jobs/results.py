"""What was read, as it is kept: the blob of a page, and the documents that all pages of a job become.

Documents are written piece by piece, so that a long one never lies in memory as a whole. A page that is
missing is named where it would stand: no document is silently short.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Protocol

from pecia_core.formats import inert, note_csv, page_json, page_markdown, page_text, tables_csv
from pecia_core.recognition import Recognition
from pecia_core.vocabulary import TaskType

from pecia_jobs.blobs import RESULT_JSON, RESULT_MARKDOWN, RESULT_TABLES, RESULT_TEXT
from pecia_jobs.model import Job, JobPage, Lease, PageSource, PageState

Json = dict[str, Any]
_FIGURE = re.compile(r"!\[\]\((figure-\d+)\)")


def page_result(lease: Lease, task: TaskType, source: PageSource, read: Recognition) -> Json:
    """The blob of a page. `attempts` counts the engine's tries and those of the leases before."""
    as_markdown = task is TaskType.MARKDOWN
    return {
        "number": lease.number,
        "source": source.value,
        # A task without lines, such as describe, has no other text than the engine's own.
        "text": (page_text(read.page) if as_markdown else "") or read.text,
        "markdown": page_markdown(read.page) or inert(read.text),
        "confidence": read.page.confidence,
        "engine": read.engine,
        "model": read.model,
        "fallback_from": read.fallback_from,
        "attempts": read.attempts + lease.attempt - 1,
        "finish_reason": read.finish_reason.value,
        "warnings": [{"code": notice.code, "message": notice.message} for notice in read.warnings],
        "timings": {
            "decode_ms": read.timings.decode_ms,
            "queue_ms": read.timings.queue_ms,
            "engine_ms": read.timings.engine_ms,
            "total_ms": read.timings.total_ms,
        },
        "agreement": read.agreement,
        "figures": [
            {"name": figure.name, "block": figure.block, "width": figure.width, "height": figure.height}
            for figure in read.figures
        ],
        "page": page_json(read.page),
    }


def encoded(value: Json) -> bytes:
    """As JSON; the same value always gives the same bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Document(Protocol):
    """Writes one document, page after page."""

    def begin(self, job: Job, pages: list[JobPage], /) -> Iterator[str]:
        """What stands before the first page."""

    def page(self, page: JobPage, result: Json | None) -> Iterator[str]:
        """A page; None = there is no result of it."""

    def end(self) -> Iterator[str]:
        """What stands after the last page."""


def documents() -> dict[str, Document]:
    """A new writer for each of the documents that are kept of a job, by the name of its blob."""
    return {RESULT_MARKDOWN: _Markdown(), RESULT_TEXT: _Text(), RESULT_JSON: _Structured()}


def writer(name: str) -> Document:
    """A new writer for one of these, or for the tables, which are made only when somebody asks."""
    return _Tables() if name == RESULT_TABLES else documents()[name]


def missing(page: JobPage) -> str:
    """Why there is nothing of a page, in a sentence."""
    match page.state:
        case PageState.FAILED:
            return f"Page {page.number} could not be read: {page.error} ({page.error_code})"
        case PageState.CANCELLED:
            return f"Page {page.number} was not read: the job was cancelled."
        case PageState.DONE:
            return f"Page {page.number} is missing: its result is no longer in the store."
        case _:
            return f"Page {page.number} has not been read yet."


def _with_figures(number: int, result: Json) -> str:
    """A page's Markdown, its figures where the job's address has them: names are a page's own."""
    there_are = {figure["name"] for figure in result.get("figures", ())}

    def placed(found: re.Match[str]) -> str:
        return f"![](figures/{number}/{found[1]}.jpg)" if found[1] in there_are else found[0]

    return _FIGURE.sub(placed, result["markdown"])


class _Markdown:
    def begin(self, _job: Job, _pages: list[JobPage]) -> Iterator[str]:
        yield from ()

    def page(self, page: JobPage, result: Json | None) -> Iterator[str]:
        yield f"<!-- page {page.number} -->\n\n"
        yield f"> **{missing(page)}**" if result is None else _with_figures(page.number, result)
        yield "\n\n"

    def end(self) -> Iterator[str]:
        yield from ()


class _Text:
    def __init__(self) -> None:
        self._any = False

    def begin(self, _job: Job, _pages: list[JobPage]) -> Iterator[str]:
        yield from ()

    def page(self, page: JobPage, result: Json | None) -> Iterator[str]:
        if self._any:
            yield f"\n\n--- page {page.number} ---\n\n"
        self._any = True
        yield f"[{missing(page)}]" if result is None else result["text"]

    def end(self) -> Iterator[str]:
        yield "\n"


class _Structured:
    def __init__(self) -> None:
        self._between = ""

    def begin(self, job: Job, pages: list[JobPage]) -> Iterator[str]:
        head = {
            "job_id": job.id,
            "filename": job.filename,
            "media_type": job.media_type,
            "document_pages": job.document_pages,
            "total_pages": job.pages_total,
            "failed_pages": [page.number for page in pages if page.state is PageState.FAILED],
        }
        yield json.dumps(head, ensure_ascii=False)[:-1] + ', "pages": ['

    def page(self, page: JobPage, result: Json | None) -> Iterator[str]:
        said = result or {
            "number": page.number,
            "error": {"code": page.error_code or "not_found", "message": missing(page)},
        }
        yield self._between + json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        self._between = ",\n"

    def end(self) -> Iterator[str]:
        yield "]}\n"


class _Tables:
    """Only the tables; no cell of them is a formula."""

    def __init__(self) -> None:
        self._between = ""

    def begin(self, _job: Job, _pages: list[JobPage]) -> Iterator[str]:
        yield from ()

    def page(self, page: JobPage, result: Json | None) -> Iterator[str]:
        if result is None:
            found = note_csv(missing(page))
        else:
            found = tables_csv(str(block.get("content") or "") for block in result["page"]["blocks"])
        if found:
            yield self._between + found
            self._between = "\r\n"

    def end(self) -> Iterator[str]:
        yield from ()
