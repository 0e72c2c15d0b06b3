"""A page of a job as it looks, with boxes around what was read: it stands beside its text."""

import asyncio
import dataclasses

import streamlit as st

from pecia_ui.client import Gateway
from pecia_ui.drawing import CannotDraw, sheet_of_page
from pecia_ui.errors import UiError
from pecia_ui.jobs import Job, PageText
from pecia_ui.overlay import Sheet
from pecia_ui.views import picture, result
from pecia_ui.views.escaping import plain
from pecia_ui.visit import Picture, Visit

_BOXES = "job-boxes"


def show(
    visit: Visit, gateway: Gateway, which: tuple[Job, int], read: PageText | None, threshold: float
) -> None:
    """The page by job and number; `read` None = nothing is known of it but how it looks.

    Where there is no picture of it, the reason stands there, and the boxes on blank paper.
    """
    job, number = which
    sheet = _sheet(read, threshold)
    place = st.empty()
    if sheet.marks and not st.toggle("Boxes", value=True, key=_BOXES):
        sheet = dataclasses.replace(sheet, marks=())

    def fetch() -> bytes:
        return asyncio.run(gateway.jobs.picture(job.id, number))

    with place.container():
        try:
            page = visit.page_picture(job.id, number, fetch)
        except UiError as failure:
            st.caption(f":material/image_not_supported: {plain(failure.message)}")
            _paper(visit, sheet, number)
            return
        _shown(visit, Picture("", page), sheet, _described(sheet, number))
    if sheet.turn:
        st.caption(f"Turned by {sheet.turn}° to be read.")
    if any(mark.doubtful for mark in sheet.marks):
        st.caption("Dashed orange boxes deserve a second look.")


def _sheet(read: PageText | None, threshold: float) -> Sheet:
    if read is None or read.layout is None:
        return Sheet()
    return sheet_of_page(read.layout, threshold, numbers=True)


def _paper(visit: Visit, sheet: Sheet, number: int) -> None:
    if sheet.marks:
        _shown(visit, Picture("", b""), dataclasses.replace(sheet, blank=True), _described(sheet, number))


def _shown(visit: Visit, page: Picture, sheet: Sheet, caption: str) -> None:
    try:
        st.image(picture.drawn(visit, page, sheet), width="stretch", alt=caption)
    except CannotDraw:
        st.info("This picture cannot be shown here.", icon=":material/image_not_supported:")


def _described(sheet: Sheet, number: int) -> str:
    if not sheet.marks:
        return f"Page {number}"
    return f"Page {number} with boxes around {result.lines(len(sheet.marks))} of text"
