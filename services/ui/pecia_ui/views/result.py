"""The right side: the text, what is known about it, and files to keep."""

import streamlit as st

from pecia_ui.asking import MARKDOWN
from pecia_ui.downloads import files
from pecia_ui.errors import UiError
from pecia_ui.reading import Reading
from pecia_ui.views import preview, text_box
from pecia_ui.views.escaping import code, plain
from pecia_ui.visit import Outcome

# Share of doubtful lines above which the whole page is in doubt.
_MANY = 1 / 3
_TIMINGS = {
    "decode_ms": "opening the picture",
    "queue_ms": "waiting",
    "engine_ms": "reading",
    "total_ms": "service in all",
}
# Codes of warnings that the page says in its own words, or that matter to few; the details have them.
_QUIET = ("model_size_ignored", "engine_fallback")


def show(outcome: Outcome, picture_name: str, threshold: float) -> None:
    """The reading, or what went wrong; lines below the confidence `threshold` (0.0 to 1.0) are doubtful."""
    if outcome.reading is not None:
        _reading(outcome, outcome.reading, picture_name, threshold)
    if outcome.error is not None:
        error(outcome.error)
        if outcome.partial:
            st.caption("What had been read until then:")
            st.code(outcome.partial, language=None, wrap_lines=True)


def error(failure: UiError) -> None:
    """What happened, what to do, and what to tell whoever runs the service."""
    st.error(
        "\n\n".join(filter(None, (f"**{plain(failure.title)}**", plain(failure.message), _step(failure)))),
        icon=":material/error:",
    )
    known = {
        "HTTP status": failure.status or "",
        "code": failure.code,
        "request id": failure.request_id,
    }
    told = " · ".join(f"{name} {code(str(value))}" for name, value in known.items() if value)
    if told:
        st.caption(told)


def _step(failure: UiError) -> str:
    wait = f" The gateway asks to wait {failure.retry_after:g} s." if failure.retry_after else ""
    return (failure.next_step + wait).strip()


def _reading(outcome: Outcome, reading: Reading, picture_name: str, threshold: float) -> None:
    st.success(f"Processing complete! {_summary(outcome, reading)}", icon=":material/check_circle:")
    _notices(reading)
    _doubts(reading, threshold)
    if reading.is_blank:
        st.info("No text was found on this page.", icon=":material/draft:")
    else:
        _text(outcome, reading)
    _downloads(outcome, reading, picture_name)
    _details(outcome, reading)


def _summary(outcome: Outcome, reading: Reading) -> str:
    confidence = reading.confidence
    parts = [
        lines(len(reading.regions)) if reading.regions else "",
        f"in {outcome.seconds:.1f} s",
        f"by {reading.engine}" if reading.engine else "",
        f"· confidence {confidence:.0%}" if confidence is not None else "",
    ]
    return " ".join(filter(None, parts))


def _notices(reading: Reading) -> None:
    if reading.fallback_from:
        st.warning(
            f"{plain(reading.fallback_from)} was asked for, but {plain(reading.engine)} answered: "
            "the model you chose is not available here.",
            icon=":material/swap_horiz:",
        )
    if reading.is_truncated:
        st.warning("The text is not complete: the model stopped early.", icon=":material/content_cut:")
    for kind, message in reading.warnings:
        if kind not in _QUIET:
            st.caption(f":material/info: {plain(message)}")


def _doubts(reading: Reading, threshold: float) -> None:
    doubtful = sum(region.is_doubtful(threshold) for region in reading.regions)
    if doubtful > len(reading.regions) * _MANY:
        st.warning(
            f"{doubtful} of {lines(len(reading.regions))} are uncertain: compare them with the picture. "
            "The writing may be one that this engine does not read.",
            icon=":material/visibility:",
        )


def _text(outcome: Outcome, reading: Reading) -> None:
    is_markdown = outcome.task_type == MARKDOWN
    names = ["Text", *(["Preview"] if is_markdown else []), "Lines"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    with tabs["Text"]:
        text_box.show(reading.text)
    if is_markdown:
        with tabs["Preview"]:
            preview.show(reading.text)
    with tabs["Lines"]:
        _table(reading)


def lines(count: int) -> str:
    """1 line, 2 lines."""
    return f"{count} line" if count == 1 else f"{count} lines"


def _table(reading: Reading) -> None:
    rows = [
        {"#": number, "Text": region.text, "Confidence": region.confidence}
        for number, region in enumerate(reading.regions, start=1)
    ]
    confidence = st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
    st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        column_config={"#": st.column_config.NumberColumn(width=48), "Confidence": confidence},
    )


def _downloads(outcome: Outcome, reading: Reading, picture_name: str) -> None:
    with st.container(horizontal=True):
        for label, file in zip(
            ("Text", "Markdown", "JSON"), files(reading, outcome.task_type, picture_name), strict=True
        ):
            st.download_button(
                "Download text" if label == "Text" else label,
                file.content,
                file_name=file.name,
                mime=file.media_type,
                key=f"download-{label.lower()}",
                icon=":material/download:",
                on_click="ignore",
            )


def _details(outcome: Outcome, reading: Reading) -> None:
    with st.expander("Details"):
        told = {
            "Asked": outcome.asked,
            "Engine": " ".join(filter(None, (reading.engine, f"({reading.model})" if reading.model else ""))),
            "Whole time on this page": f"{outcome.seconds:.2f} s",
        }
        timings = reading.timings
        told |= {
            f"Of it {name}": f"{timings[key] / 1000:.2f} s"
            for key, name in _TIMINGS.items()
            if key in timings
        }
        told["Request id"] = reading.request_id
        st.markdown("\n".join(f"- {name}: {code(value)}" for name, value in told.items() if value))
        for _, message in reading.warnings:
            st.caption(plain(message))
