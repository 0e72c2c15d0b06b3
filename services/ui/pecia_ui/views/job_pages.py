"""The pages of a job: which are done, and what was read on one of them, as soon as it was."""

import asyncio
from collections.abc import Iterable
from itertools import groupby

import streamlit as st

from pecia_ui.client import Gateway
from pecia_ui.errors import UiError
from pecia_ui.following import Snapshot
from pecia_ui.jobs import Job, JobPage, PageText
from pecia_ui.views import job_picture, preview, result, text_box
from pecia_ui.views.escaping import plain
from pecia_ui.visit import Visit

_NUMBER = "job-page"
_NEWEST = "job-newest"
_MOST_RANGES = 12
_MOST_SHOWN = 1_000_000
_SOURCES = {"ocr": "read from its picture", "text": "the PDF's own text"}


def show(visit: Visit, gateway: Gateway, known: Snapshot, threshold: float) -> None:
    """The numbers of the pages, and the chosen one; while the job runs that is the newest."""
    job = known.job
    if job is None or not known.pages:
        return
    if job.has_result and st.toggle("Whole document", key="job-whole"):
        _whole(visit, gateway, job)
        return
    done = [number for number, page in known.pages.items() if page.status == "done"]
    st.caption(f"Done: {ranges(done)}" if done else "No page is done yet.")
    number = _chosen(job, known)
    # The text comes first: where it stands is drawn on the picture.
    seen, told = st.columns(2, gap="large")
    with told:
        read = _told(visit, gateway, (job, number), known.pages.get(number))
    with seen:
        job_picture.show(visit, gateway, (job, number), read, threshold)


def ranges(numbers: Iterable[int]) -> str:
    """1, 2, 3, 7 as 1-3, 7; very many of them are cut short."""
    runs = []
    for _, run in groupby(enumerate(sorted(numbers)), key=lambda one: one[1] - one[0]):
        members = [number for _, number in run]
        runs.append(f"{members[0]}-{members[-1]}" if len(members) > 1 else str(members[0]))
    return ", ".join(runs[:_MOST_RANGES]) + (" …" if len(runs) > _MOST_RANGES else "")


def _whole(visit: Visit, gateway: Gateway, job: Job) -> None:
    def fetch() -> PageText:
        text = asyncio.run(gateway.jobs.download(job.id, "text", partial=False))
        return PageText(everything, text.decode(errors="replace"))

    everything = JobPage(0, "done")
    try:
        text = visit.page_text(job.id, everything, fetch).text
    except UiError as failure:
        result.error(failure)
        return
    if len(text) > _MOST_SHOWN:
        st.info("This is too much text to show at once: download it, or look at single pages.")
    else:
        text_box.show(text, key="job-whole-text")


def _chosen(job: Job, known: Snapshot) -> int:
    last = max(job.document_pages, *known.pages)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = st.empty()
        newest = job.ended is False and st.toggle("Show the newest page", value=True, key=_NEWEST)
        if newest and known.newest:
            st.session_state[_NUMBER] = known.newest
        st.session_state.setdefault(_NUMBER, min(known.pages))
        st.session_state[_NUMBER] = min(st.session_state[_NUMBER], last)
        return int(
            place.number_input(
                "Page", min_value=1, max_value=last, step=1, key=_NUMBER, width=140, disabled=bool(newest)
            )
        )


def _told(visit: Visit, gateway: Gateway, which: tuple[Job, int], page: JobPage | None) -> PageText | None:
    """What was read on the page, or why that is not known; gives it."""
    job, number = which
    if page is None:
        st.info(f"Page {number} has not been read yet.", icon=":material/hourglass_top:")
        return None
    if page.status != "done":
        st.warning(f"Page {number} could not be read: {plain(page.error)}", icon=":material/error:")
        return None
    try:
        read = visit.page_text(job.id, page, lambda: asyncio.run(gateway.jobs.page(job.id, number)))
    except UiError as failure:
        result.error(failure)
        return None
    st.caption(_about(read))
    for warning in read.warnings:
        st.caption(f":material/info: {plain(warning)}")
    _texts(read)
    return read


def _texts(read: PageText) -> None:
    names = ["Text", *(["Preview"] if read.markdown else [])]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    with tabs["Text"]:
        if read.text.strip():
            text_box.show(read.text, key=f"page-text-{read.page.number}")
        else:
            st.info("No text was found on this page.", icon=":material/draft:")
    if read.markdown:
        with tabs["Preview"]:
            preview.show(read.markdown)


def _about(read: PageText) -> str:
    page = read.page
    parts = [
        f"Page {page.number}",
        _SOURCES.get(page.source, ""),
        f"by {plain(page.engine)}" if page.engine else "",
        f"instead of {plain(page.fallback_from)}" if page.fallback_from else "",
        f"confidence {page.confidence:.0%}" if page.confidence is not None else "",
        f"at attempt {page.attempts}" if page.attempts > 1 else "",
    ]
    return " · ".join(filter(None, parts))
