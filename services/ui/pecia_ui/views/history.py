"""Job History: the visitor's jobs, newest first, and one of them opened."""

import asyncio

import streamlit as st

from pecia_ui.client import Gateway
from pecia_ui.errors import UiError
from pecia_ui.jobs import STATUSES, Job, JobList
from pecia_ui.views import addresses, job, result
from pecia_ui.views.escaping import code, plain
from pecia_ui.views.times import when
from pecia_ui.visit import Visit

_ALL = "all"
_A_PAGE = 20
_RENEW_EVERY_S = 5.0
_WIDTHS = [5, 3, 4, 2, 1.5]


def show(visit: Visit, gateway: Gateway, threshold: float) -> None:
    """The list, or the job that the address names."""
    if job_id := addresses.job():
        st.button("All jobs", icon=":material/arrow_back:", key="history-back", on_click=addresses.close_job)
        job.show(visit, gateway, job_id, threshold)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        status = st.segmented_control(
            "Status",
            [_ALL, *STATUSES],
            default=_ALL,
            required=True,
            format_func=str.capitalize,
            key="history-status",
            on_change=visit.first_jobs,
            label_visibility="collapsed",
        )
        st.space("stretch")
        st.button("Refresh", icon=":material/refresh:", key="history-refresh")
    wanted = "" if status == _ALL else str(status)
    # A list that is open somewhere is asked for now and then; only the newest part of it changes by itself.
    renewed = _RENEW_EVERY_S if not visit.cursors else None
    st.fragment(_list, run_every=renewed)(visit, gateway, wanted)


def _list(visit: Visit, gateway: Gateway, status: str) -> None:
    cursor = visit.cursors[-1] if visit.cursors else ""
    try:
        found = asyncio.run(gateway.jobs.listed(status, cursor, _A_PAGE))
    except UiError as failure:
        result.error(failure)
        return
    if not found.jobs:
        st.info(
            "There are no such jobs." if status or cursor else "There are no jobs yet.",
            icon=":material/inbox:",
        )
    for one in found.jobs:
        _row(one)
    _turn(visit, found)


def _row(one: Job) -> None:
    with st.container(border=True):
        columns = st.columns(_WIDTHS, vertical_alignment="center")
        columns[0].markdown(f"**{plain(one.filename or one.id)}**  \n{code(one.id)}")
        with columns[1]:
            job.badge(one)
        columns[2].progress(one.progress, text=job.progress_text(one))
        columns[3].caption(when(one.created_at))
        if columns[4].button("Open", key=f"open-{one.id}"):
            addresses.open_job(one.id)
            st.rerun()


def _turn(visit: Visit, found: JobList) -> None:
    if not visit.cursors and not found.next_cursor:
        return
    with st.container(horizontal=True, horizontal_alignment="center"):
        newer = st.button(
            "Newer",
            key="history-newer",
            icon=":material/chevron_left:",
            disabled=not visit.cursors,
            on_click=visit.newer_jobs,
        )
        older = st.button(
            "Older",
            key="history-older",
            icon=":material/chevron_right:",
            disabled=not found.next_cursor,
            on_click=visit.older_jobs,
            args=(found.next_cursor,),
        )
    if newer or older:
        st.rerun()
