"""A reading while it runs: text appears as it is recognised, and a click stops it."""

import asyncio
import logging
import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pecia_ui.asking import Ask
from pecia_ui.client import Gateway
from pecia_ui.errors import Broken, UiError
from pecia_ui.reading import Reading
from pecia_ui.views.result import lines
from pecia_ui.visit import Outcome, Picture, Visit

_log = logging.getLogger(__name__)
# Seconds between looks at the stream. Each look writes to the page, where Streamlit stops a run
# whose visitor clicked something else.
_PULSE_S = 0.2


def read(visit: Visit, gateway: Gateway, picture: Picture, ask: Ask) -> Outcome:
    """Read the picture and remember how it ended; an interrupted run leaves `is_reading` set."""
    visit.is_reading = True
    visit.outcome = None
    started = time.monotonic()
    text: list[str] = []
    reading, error = None, None
    try:
        reading = asyncio.run(_watched(gateway, ask, text))
    except UiError as failure:
        error = failure
    except Exception:  # noqa: BLE001 - a person waits for an answer; the log has the traceback
        _log.exception("A reading ended in an unexpected failure")
        error = Broken("Something broke in this page; its log has the cause.")
    visit.is_reading = False
    visit.outcome = Outcome(
        digest=picture.digest,
        task_type=ask.task_type,
        asked=f"{ask.task} · {ask.size} · {ask.model}",
        seconds=time.monotonic() - started,
        reading=reading,
        error=error,
        partial="".join(text),
    )
    _tell(visit.outcome)
    return visit.outcome


async def _watched(gateway: Gateway, ask: Ask, text: list[str]) -> Reading:
    st.button("Stop", key="stop", icon=":material/stop_circle:")
    with st.spinner("Reading the picture…", show_time=True):
        count, shown = st.empty(), st.empty()
        reading = asyncio.create_task(gateway.read(ask, text.append))
        try:
            while not reading.done():
                await asyncio.wait({reading}, timeout=_PULSE_S)
                _show(count, shown, "".join(text))
            return await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


def _show(count: DeltaGenerator, shown: DeltaGenerator, text: str) -> None:
    read = sum(1 for line in text.splitlines() if line.strip())
    count.caption(f"{lines(read)} so far" if read else "Waiting for the first line")
    if text:
        shown.code(text, language=None, wrap_lines=True)


def _tell(outcome: Outcome) -> None:
    about = outcome.reading or outcome.error
    extra = {"request_id": about.request_id if about else ""}
    ending = type(outcome.error).__name__ if outcome.error else "read"
    _log.info("Picture: %s after %.1f s", ending, outcome.seconds, extra=extra)
