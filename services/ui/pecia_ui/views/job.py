"""One job: how far it is, what failed, what can be done with it, and its pages as they come."""

import time
from typing import Literal

import streamlit as st

from pecia_ui.client import Gateway
from pecia_ui.following import Follower, Snapshot
from pecia_ui.jobs import Job
from pecia_ui.views import job_actions, job_pages, result
from pecia_ui.views.escaping import code, plain
from pecia_ui.views.times import span, when
from pecia_ui.visit import Visit

# Looking costs the gateway nothing: see `pecia_ui.following`.
_LOOK_EVERY_S = 1.0
_Colour = Literal["red", "orange", "green", "blue", "gray"]
_STATES: dict[str, tuple[str, _Colour, str]] = {
    "scheduled": (":material/schedule:", "gray", "Scheduled"),
    "queued": (":material/hourglass_top:", "gray", "Queued"),
    "running": (":material/play_circle:", "blue", "Processing"),
    "processing": (":material/play_circle:", "blue", "Processing"),
    "finalizing": (":material/play_circle:", "blue", "Putting together"),
    "done": (":material/check_circle:", "green", "Completed"),
    "completed": (":material/check_circle:", "green", "Completed"),
    "partial": (":material/warning:", "orange", "Completed, pages missing"),
    "failed": (":material/error:", "red", "Failed"),
    "cancelled": (":material/cancel:", "gray", "Cancelled"),
}


def show(visit: Visit, gateway: Gateway, job_id: str, threshold: float) -> None:
    """The job; while it runs this part of the page renews itself every second."""
    follower = visit.follower_of(gateway.jobs, job_id)
    live = follower.snapshot().live
    part = st.fragment(_card, run_every=_LOOK_EVERY_S if live else None)
    part(visit, gateway, (follower, live), threshold)


def badge(job: Job) -> None:
    """Its state in a word."""
    icon, colour, word = _STATES.get(job.state, (":material/help:", "gray", plain(job.state)))
    st.badge(word, icon=icon, color=colour)


def progress_text(job: Job) -> str:
    """12 of 50 pages, at what pace, how long it will take."""
    rate = job.pages_per_s
    parts = [
        f"{job.processed_pages} of {job.total_pages} pages",
        f"{len(job.failed_pages)} failed" if job.failed_pages else "",
        "" if not rate else f"{rate:.1f} pages/s" if rate >= 1 else f"{1 / rate:.1f} s a page",
        "" if job.eta_s is None or job.ended else f"{span(job.eta_s)} left",
    ]
    return " · ".join(filter(None, parts))


def _card(visit: Visit, gateway: Gateway, following: tuple[Follower, bool], threshold: float) -> None:
    follower, was_live = following
    if visit.follower is not follower:
        st.rerun()  # another job, or this one was resumed
    known = follower.snapshot()
    if was_live and not known.live:
        st.rerun()  # the last look: from now on nothing renews itself
    with st.container(border=True):
        if visit.job_error is not None:
            result.error(visit.job_error)
        if known.error is not None:
            _trouble(known)
        if known.job is not None:
            _standing(known.job)
            job_actions.show(visit, gateway, known.job)
            job_actions.show_failed(visit, gateway, known)
            job_pages.show(visit, gateway, known, threshold)


def _trouble(known: Snapshot) -> None:
    if known.error is None:
        return
    result.error(known.error)
    if known.live:
        st.caption("Trying again; the job itself is not affected.")


def _standing(job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(job.filename or job.id)}**", width="content")
        badge(job)
    st.progress(job.progress, text=progress_text(job))
    if job.state == "scheduled" and job.not_before and job.not_before > time.time():
        st.caption(f"Begins at {when(job.not_before)}.")
    elif job.state == "queued" and job.queue_ahead:
        st.caption(f"{job.queue_ahead} pages are before it.")
    if job.error:
        st.error(plain(job.error), icon=":material/error:")
    if job.state == "partial":
        missing = "1 page is" if len(job.failed_pages) == 1 else f"{len(job.failed_pages)} pages are"
        st.warning(f"Processing complete, but {missing} missing.", icon=":material/warning:")
    elif job.has_result:
        st.success("Processing complete!", icon=":material/check_circle:")
    told = [f"Job {code(job.id)}", f"made {when(job.created_at)}"]
    if job.started_at and job.completed_at:
        told.append(f"took {span(job.completed_at - job.started_at)}")
    st.caption(" · ".join(told))
    if not job.ended:
        st.caption("It goes on when you close this page; its address brings you back.")
