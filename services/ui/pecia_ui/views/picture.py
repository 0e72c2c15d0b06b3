"""The left side: choosing a picture, and the picture with its boxes."""

import dataclasses
import html

import streamlit as st

from pecia_ui import sample
from pecia_ui.drawing import CannotDraw, Easel, sheet_of
from pecia_ui.overlay import Sheet
from pecia_ui.palette import CONFIDENT, DOUBTFUL
from pecia_ui.reading import Reading
from pecia_ui.views import addresses
from pecia_ui.views.result import lines
from pecia_ui.visit import Picture, Visit

_TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "pdf"]


def chosen(visit: Visit) -> Picture | None:
    """The picture to read: what was uploaded or the sample, whichever came last."""
    upload, sample_place = st.columns([3, 1], vertical_alignment="center")
    uploaded = upload.file_uploader(
        "Picture of a page, or a PDF",
        type=_TYPES,
        key=f"upload-{visit.uploads}",
        on_change=lambda: _another(visit),
    )
    sample_place.button(
        "Try a sample",
        key="sample",
        width="stretch",
        on_click=lambda: _sample(visit),
    )
    if visit.sample is not None:
        return visit.sample
    return Picture(uploaded.name, uploaded.getvalue()) if uploaded else None


def _another(visit: Visit) -> None:
    visit.drop_sample()
    addresses.close_job()


def _sample(visit: Visit) -> None:
    visit.take_sample(Picture(sample.NAME, sample.sample_picture()))
    addresses.close_job()


def show(visit: Visit, picture: Picture, sheet: Sheet, caption: str) -> None:
    """The picture with the boxes of the sheet; of a PDF only the boxes, on blank paper."""
    if picture.is_pdf:
        if not sheet.marks:
            st.info("A PDF: its pages are opened by the gateway only.", icon=":material/picture_as_pdf:")
            return
        picture, sheet = Picture("", b""), dataclasses.replace(sheet, blank=True)
    try:
        st.image(drawn(visit, picture, sheet), width="stretch", alt=caption)
    except CannotDraw:
        st.info("This picture cannot be shown here; the gateway may still be able to read it.")


def show_marked(visit: Visit, picture: Picture, reading: Reading, default_threshold: float) -> None:
    """The picture with a box around each line, and what the colours mean."""
    shown, legend = st.empty(), st.empty()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        threshold = st.slider(
            "Mark lines less certain than",
            min_value=0,
            max_value=100,
            value=round(default_threshold * 100),
            format="%d %%",
            key="threshold",
        )
        numbers = st.toggle("Numbers", value=True, key="numbers")
    with shown.container():
        show(visit, picture, sheet_of(reading, threshold / 100, numbers=numbers), _described(reading))
        rotation = reading.pages[0].rotation % 360
        if rotation:
            st.caption(f"Turned by {rotation}° to be read.")
    legend.html(_legend(reading, threshold))


def show_pages(visit: Visit, reading: Reading) -> None:
    """The pages of a PDF, one at a time, as who read them shows them."""
    number = 1
    if len(reading.pages) > 1:
        number = int(st.number_input("Page", 1, len(reading.pages), key="pdf-page", width=140))
    page = reading.pages[number - 1]
    caption = f"Page {number} with boxes around {lines(len(page.regions))} of text"
    try:
        st.image(drawn(visit, Picture("", page.picture), Sheet()), width="stretch", alt=caption)
    except CannotDraw:
        st.info("This page cannot be shown here.", icon=":material/image_not_supported:")


def drawn(visit: Visit, picture: Picture, sheet: Sheet) -> bytes:
    """The picture with the boxes of the sheet, as JPEG; drawn once. Raises CannotDraw."""
    known = visit.drawing
    if known is None or known[:2] != (picture.digest, sheet):
        known = visit.drawing = (picture.digest, sheet, _easel().drawn(picture.data, sheet))
    return known[2]


@st.cache_resource(show_spinner=False)
def _easel() -> Easel:
    """One for all visitors."""
    return Easel()


def _described(reading: Reading) -> str:
    return f"The picture with boxes around {lines(len(reading.regions))} of text"


def _legend(reading: Reading, threshold: int) -> str:
    doubtful = sum(region.is_doubtful(threshold / 100) for region in reading.regions)
    sure = len(reading.regions) - doubtful
    return (
        '<div style="display:flex;gap:1.2rem;flex-wrap:wrap;font-size:.875rem">'
        + _swatch(CONFIDENT, "solid", f"{sure} read with confidence")
        + _swatch(DOUBTFUL, "dashed", f"{doubtful} to check (below {threshold} %)")
        + "</div>"
    )


def _swatch(colour: str, edge: str, text: str) -> str:
    return (
        '<span style="display:inline-flex;align-items:center;gap:.4rem">'
        f'<span style="width:1.4rem;height:.8rem;border:2px {edge} {colour};background:{colour}24"></span>'
        f"{html.escape(text)}</span>"
    )
