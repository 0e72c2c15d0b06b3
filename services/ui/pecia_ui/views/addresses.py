"""What the page's address says: which mode, which job. So a reload or another browser shows the same."""

import streamlit as st

QUICK, MANUAL, HISTORY = "Quick Process", "Manual Control", "Job History"
MODES = (QUICK, MANUAL, HISTORY)
_JOB = "job"


def mode() -> str:
    """The chosen mode; an address that only names a job opens it in the history."""
    chosen = st.segmented_control(
        "Mode",
        MODES,
        default=HISTORY if job() else QUICK,
        required=True,
        key="mode",
        bind="query-params",
        on_change=close_job,
        label_visibility="collapsed",
    )
    return str(chosen)


def job() -> str:
    """The id of the job that is open; empty = none."""
    return st.query_params.get(_JOB, "")


def open_job(job_id: str) -> None:
    """Put it into the address."""
    st.query_params[_JOB] = job_id


def close_job() -> None:
    """Take it out of the address; the job itself goes on."""
    st.query_params.pop(_JOB, None)
