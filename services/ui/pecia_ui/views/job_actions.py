"""What can be done with a job: cancel, resume, read a page again, download, delete."""

import asyncio
from collections.abc import Callable, Coroutine

import streamlit as st

from pecia_ui.client import Gateway
from pecia_ui.errors import UiError
from pecia_ui.following import Snapshot
from pecia_ui.jobs import Job, JobPage
from pecia_ui.views import addresses
from pecia_ui.views.escaping import code, plain
from pecia_ui.visit import Visit

_MOST_FAILED = 20
_FILES = {
    "Markdown": ("markdown", "md"),
    "Text": ("text", "txt"),
    "JSON": ("json", "json"),
    "Tables": ("csv", "csv"),  # the gateway's, in which no cell is a formula
}
_MEDIA_TYPES = {"md": "text/markdown", "txt": "text/plain", "json": "application/json", "csv": "text/csv"}


def show(visit: Visit, gateway: Gateway, job: Job) -> None:
    """One row of buttons."""
    with st.container(horizontal=True):
        if job.processed_pages:
            _downloads(gateway, job)
        if not job.ended:
            st.button(
                "Cancel",
                key="job-cancel",
                icon=":material/stop_circle:",
                on_click=_done_with(visit, lambda: gateway.jobs.cancel(job.id)),
            )
        if job.lacks_pages:
            st.button(
                "Read the missing pages",
                key="job-resume",
                icon=":material/replay:",
                type="primary",
                on_click=_done_with(visit, lambda: gateway.jobs.resume(job.id)),
                help="Pages that are done stay as they are.",
            )
        if job.ended:
            _delete(visit, gateway, job)


def show_failed(visit: Visit, gateway: Gateway, known: Snapshot) -> None:
    """Every page that could not be read, why, and a button that has it read again."""
    failed = [page for _, page in sorted(known.pages.items()) if page.status == "failed"]
    if not failed or known.job is None:
        return
    named = "1 page" if len(failed) == 1 else f"{len(failed)} pages"
    with st.expander(f"{named} could not be read", expanded=True, icon=":material/error:"):
        for page in failed[:_MOST_FAILED]:
            _failed(visit, gateway, known.job, page)
        if len(failed) > _MOST_FAILED:
            st.caption(f"And {len(failed) - _MOST_FAILED} more.")


def _failed(visit: Visit, gateway: Gateway, job: Job, page: JobPage) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        tries = f", {page.attempts} attempts" if page.attempts > 1 else ""
        st.markdown(f"**Page {page.number}:** {plain(page.error)} ({code(page.error_code)}{tries})")
        st.button(
            "Re-run",
            key=f"job-rerun-{page.number}",
            icon=":material/replay:",
            disabled=not job.ended,
            on_click=_done_with(visit, lambda: gateway.jobs.rerun(job.id, page.number)),
            help=None if job.ended else "When the job has ended.",
        )


def _delete(visit: Visit, gateway: Gateway, job: Job) -> None:
    def delete() -> None:
        if _tried(visit, lambda: gateway.jobs.delete(job.id)):
            visit.forget_job()
            addresses.close_job()

    with st.popover("Delete", icon=":material/delete:"):
        st.markdown("The document and everything read in it are deleted. This cannot be undone.")
        st.button("Yes, delete this job", key="job-delete", type="primary", on_click=delete)


def _downloads(gateway: Gateway, job: Job) -> None:
    stem = job.filename.rpartition(".")[0] or job.filename or "result"
    for label, (form, suffix) in _FILES.items():
        st.download_button(
            label if job.has_result else f"{label}, so far",
            _fetching(gateway, job, form),
            file_name=f"{stem}.{suffix}",
            mime=_MEDIA_TYPES[suffix],
            key=f"job-download-{suffix}",
            icon=":material/download:",
            on_click="ignore",
        )


def _fetching(gateway: Gateway, job: Job, form: str) -> Callable[[], bytes]:
    """Fetched when somebody clicks: a long document is not carried around before."""
    return lambda: asyncio.run(gateway.jobs.download(job.id, form, partial=not job.has_result))


def _done_with(visit: Visit, call: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    def act() -> None:
        if _tried(visit, call):
            visit.forget_job()

    return act


def _tried(visit: Visit, call: Callable[[], Coroutine[None, None, None]]) -> bool:
    visit.job_error = None
    try:
        asyncio.run(call())
    except UiError as failure:
        visit.job_error = failure
    return visit.job_error is None
