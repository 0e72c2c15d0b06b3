"""What the page's address says: which mode, which job. So a reload or another browser shows the same."""

import streamlit as st

QUICK, MANUAL, HISTORY = "Quick Process", "Manual Control", "Job History"
MODES = (QUICK, MANUAL, HISTORY)
_WORDS = {QUICK: "quick", MANUAL: "manual", HISTORY: "history"}
_OF_WORD = {word: mode for mode, word in _WORDS.items()}
_MODE = "mode"
_JOB = "job"


def mode() -> str:
    """The chosen mode; an address that only names a job opens it in the history."""
    if _MODE not in st.session_state:
        said = _OF_WORD.get(st.query_params.get(_MODE, ""))
        st.session_state[_MODE] = said or (HISTORY if job() else QUICK)
    chosen = st.segmented_control(
        "Mode", MODES, required=True, key=_MODE, on_change=close_job, label_visibility="collapsed"
    )
    st.query_params[_MODE] = _WORDS[chosen or QUICK]
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
