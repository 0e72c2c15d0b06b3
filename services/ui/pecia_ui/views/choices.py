"""What to do with the picture: task, size, model, and what to locate."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pecia_ui.asking import AUTO, DEFAULT_SIZE, LOCATE, SIZES, TASKS, Ask
from pecia_ui.client import ModelCard
from pecia_ui.visit import Inventory, Picture

SIZE_HELP = (
    "How many pixels DeepSeek-OCR looks at: Tiny 512, Small 640, Base 1024, Large 1280, "
    "Gundam 1024 and tiles of 640. Other engines always read the whole picture."
)


def chosen(picture: Picture | None, known: Inventory) -> tuple[Ask, bool]:
    """What is asked of the picture, and whether the button was pressed."""
    with st.container(border=True):
        columns = st.columns([3, 2, 3, 3], vertical_alignment="bottom")
        task = columns[0].selectbox("Task", list(TASKS), key="task")
        size = columns[1].selectbox(
            "Model size", SIZES, index=SIZES.index(DEFAULT_SIZE), key="size", help=SIZE_HELP
        )
        model = model_choice(columns[2], known)
        pressed = columns[3].button(
            "Read the picture",
            key="submit",
            type="primary",
            icon=":material/document_scanner:",
            width="stretch",
            disabled=picture is None,
            help="Choose a picture first." if picture is None else None,
        )
        ref_text = ref_text_field() if TASKS[task][0] == LOCATE else ""
    return Ask(picture.data if picture else b"", task, size, model, ref_text), pressed


def ref_text_field(key: str = "ref_text") -> str:
    """What to locate."""
    return st.text_input(
        "Text to locate",
        key=key,
        max_chars=1000,
        placeholder="For example: Total",
        help="The words or the object to find on the page.",
    )


def model_choice(column: DeltaGenerator, known: Inventory, key: str = "model") -> str:
    """Who reads."""
    # The sizes have a list of their own.
    cards = {card.id: card for card in known.cards if ":" not in card.id}
    names = [AUTO, *(name for name in cards if name != AUTO)]
    return column.selectbox(
        "Model",
        names,
        key=key,
        format_func=lambda name: _label(name, cards.get(name)),
        help="auto = the best engine that is ready.",
    )


def _label(name: str, card: ModelCard | None) -> str:
    """The name, and who answers where that is somebody else, and whether it can now."""
    if card is None:
        return name
    who = f" ({card.engine})" if card.engine and card.engine != name else ""
    return name + who + (f", {card.state}" if card.state not in ("", "ready") else "")
