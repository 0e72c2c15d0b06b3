"""Quick Process: choose a picture or PDF on the left, read its text on the right.

What is too long to be waited for becomes a job by itself, and is followed here.
"""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pecia_ui.asking import Ask
from pecia_ui.client import Gateway
from pecia_ui.jobs import JobAsk
from pecia_ui.overlay import Sheet
from pecia_ui.views import addresses, choices, job, manual, picture, result, running
from pecia_ui.visit import Inventory, Picture, Visit


@dataclass(frozen=True, slots=True)
class Limits:
    """Confidence below which lines are marked at first, 0.0 to 1.0; bytes above which a file is a job."""

    threshold: float
    inline_bytes: int


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the picture and the text go; what stands there is replaced."""

    picture: DeltaGenerator
    text: DeltaGenerator


def show(visit: Visit, gateway: Gateway, known: Inventory, limits: Limits) -> None:
    """The whole mode; see `Limits`."""
    was_interrupted, visit.is_reading = visit.is_reading, False
    choice_place = st.container()
    left, right = st.columns(2, gap="large")
    with left:
        chosen = picture.chosen(visit)
        places = _Places(st.empty(), right.empty())
    with choice_place:
        ask, pressed = choices.chosen(chosen, known)
    wanted, visit.wants_reading = pressed or visit.wants_reading, False
    if wanted:
        addresses.close_job()
    job_id = addresses.job()
    if chosen is not None and wanted and ask.lacks_ref_text:
        _preview(visit, chosen, places)
        places.text.warning("Say what to locate: the field “Text to locate” is empty.")
    elif chosen is not None and wanted:
        _read(visit, gateway, (chosen, ask), (places, limits))
    elif job_id:
        job.show(visit, gateway, job_id, limits.threshold)  # its pages stand beside their text
    elif chosen is None:
        _invite(places)
    else:
        _outcome(visit, chosen, places, limits.threshold)
        if was_interrupted:
            places.text.info("The reading was stopped.", icon=":material/stop_circle:")


def _invite(places: _Places) -> None:
    places.text.info("Choose a picture on the left, or try the sample.", icon=":material/arrow_back:")


def _preview(visit: Visit, chosen: Picture, places: _Places) -> None:
    with places.picture.container():
        picture.show(visit, chosen, Sheet(), "The picture to read")


def _read(visit: Visit, gateway: Gateway, task: tuple[Picture, Ask], where: tuple[_Places, Limits]) -> None:
    (chosen, ask), (places, limits) = task, where
    _preview(visit, chosen, places)
    with places.text.container():
        too_long = len(chosen.data) > limits.inline_bytes
        if not too_long:
            failure = running.read(visit, gateway, chosen, ask).error
            too_long = failure is not None and failure.asks_for_a_job
        if too_long:
            visit.outcome = None
            visit.submit_error = manual.submitted(gateway, _as_job(chosen, ask))
    # What stood here while it ran would stay below a shorter outcome: browsers clear up between runs.
    st.rerun()


def _as_job(chosen: Picture, ask: Ask) -> JobAsk:
    return JobAsk(chosen.data, chosen.name, ask.task, ask.size, ask.model, ask.ref_text)


def _outcome(visit: Visit, chosen: Picture, places: _Places, threshold: float) -> None:
    outcome = visit.outcome_for(chosen)
    if outcome is None:
        _preview(visit, chosen, places)
        if visit.submit_error is not None:
            with places.text.container():
                result.error(visit.submit_error)
            return
        places.text.info("Ready. Press “Read the picture”.", icon=":material/arrow_upward:")
        return
    with places.text.container():
        result.show(outcome, chosen.name, threshold)
    reading = outcome.reading
    if (
        chosen.is_pdf
        and reading is not None
        and all(page.picture for page in reading.pages)
        and reading.pages
    ):
        with places.picture.container():
            picture.show_pages(visit, reading)
        return
    if reading is None or not reading.regions:
        _preview(visit, chosen, places)
        return
    with places.picture.container():
        picture.show_marked(visit, chosen, reading, threshold)
