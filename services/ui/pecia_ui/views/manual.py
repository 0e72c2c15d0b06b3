"""Manual Control: a document with every option, handed in as a job and followed here."""

import asyncio
import uuid

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pecia_ui.asking import DEFAULT_SIZE, LOCATE, SIZES, TASKS
from pecia_ui.client import Gateway
from pecia_ui.errors import UiError
from pecia_ui.jobs import PRIORITIES, JobAsk
from pecia_ui.views import addresses, choices, job, result
from pecia_ui.views.times import zone
from pecia_ui.visit import Inventory, Visit

_TYPES = ["pdf", "tif", "tiff", "png", "jpg", "jpeg", "webp", "bmp"]


def show(visit: Visit, gateway: Gateway, known: Inventory, threshold: float) -> None:
    """The form, and the job that was made of it."""
    uploaded = st.file_uploader("Document", type=_TYPES, key="manual-document")
    ask = _asked(uploaded, known)
    if st.button(
        "Submit as a job",
        key="manual-submit",
        type="primary",
        icon=":material/send:",
        disabled=uploaded is None,
        help="Choose a document first." if uploaded is None else None,
    ):
        _submit(visit, gateway, ask)
    if visit.submit_error is not None:
        result.error(visit.submit_error)
    if job_id := addresses.job():
        job.show(visit, gateway, job_id, threshold)


def submitted(gateway: Gateway, ask: JobAsk) -> UiError | None:
    """Make the job and put it into the address; or why that was refused."""
    with st.spinner("Handing in the document…"):
        try:
            # One click, one job: a call whose answer was lost is not made again by itself.
            addresses.open_job(asyncio.run(gateway.jobs.submit(ask, uuid.uuid4().hex)))
        except UiError as failure:
            return failure
    return None


def _submit(visit: Visit, gateway: Gateway, ask: JobAsk) -> None:
    visit.submit_error = None
    visit.forget_job()
    addresses.close_job()
    if ask.lacks_ref_text:
        st.warning("Say what to locate: the field “Text to locate” is empty.")
        return
    visit.submit_error = submitted(gateway, ask)


def _asked(uploaded: UploadedFile | None, known: Inventory) -> JobAsk:
    with st.container(border=True):
        first, second, third = st.columns(3), st.columns(3), st.columns(3)
        task = first[0].selectbox("Task", list(TASKS), key="manual-task")
        size = first[1].selectbox(
            "Model size", SIZES, index=SIZES.index(DEFAULT_SIZE), key="manual-size", help=choices.SIZE_HELP
        )
        model = choices.model_choice(first[2], known, key="manual-model")
        languages = second[0].text_input("Languages", key="manual-languages", placeholder="ind,eng")
        pages = second[1].text_input(
            "Pages", key="manual-pages", placeholder="all", help="For example 1-3,7,10- (to the end)."
        )
        priority = second[2].selectbox(
            "Priority", PRIORITIES, key="manual-priority", format_func=str.capitalize
        )
        begin = third[0].datetime_input(
            "Not before", value=None, key="manual-begin", help="Empty = as soon as there is room."
        )
        webhook = third[1].text_input("Webhook", key="manual-webhook", placeholder="https://…")
        password = third[2].text_input("Password of the PDF", type="password", key="manual-password")
        ref_text = choices.ref_text_field(key="manual-ref-text") if TASKS[task][0] == LOCATE else ""
        text_layer = st.toggle(
            "Use the PDF's own text where it can be trusted", value=True, key="manual-text-layer"
        )
    return JobAsk(
        document=uploaded.getvalue() if uploaded else b"",
        name=uploaded.name if uploaded else "document",
        task=task,
        size=size,
        model=model,
        ref_text=ref_text,
        languages=languages,
        pages=pages,
        priority=priority,
        not_before=begin.replace(tzinfo=begin.tzinfo or zone()).timestamp() if begin else None,
        webhook_url=webhook,
        password=password,
        text_layer=text_layer,
    )
