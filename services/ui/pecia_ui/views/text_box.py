"""A text area with a copy button that also works over plain http, where Streamlit's own does nothing."""

from pathlib import Path

from streamlit.components import v2

_ASSETS = Path(__file__).parent.parent / "assets"
_ROW_CHARACTERS = 70

_component = v2.component(
    "pecia_ui.text_box",
    html=(_ASSETS / "text_box.html").read_text(),
    css=(_ASSETS / "text_box.css").read_text(),
    js=(_ASSETS / "text_box.js").read_text(),
)


def show(text: str, key: str = "text") -> None:
    """The text, as high as it is long within reason; people can drag it larger."""
    rows = sum(1 + len(line) // _ROW_CHARACTERS for line in text.split("\n"))
    _component(key=key, data={"text": text, "rows": rows + 1})
