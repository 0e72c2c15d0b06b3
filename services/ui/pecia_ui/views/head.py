"""The head of the page: its name, what it does, whether it can, how to use it."""

from pathlib import Path

import streamlit as st

from pecia_ui.views import connection, preview
from pecia_ui.visit import Inventory

TITLE = "pecia: text from pictures"
ICON = (Path(__file__).parent.parent / "assets" / "pecia.svg").read_text()

# The picture and its text are what people come for: they start high on the screen.
_STYLE = """<style>
.stMainBlockContainer { padding-top: 4.5rem; padding-bottom: 3rem; }
</style>"""
_USAGE = """
**Quick Process**

1. Upload a picture of a page (PNG, JPG or JPEG; WEBP, BMP, TIFF and PDF work too), or try the sample.
2. Choose a task. **Free OCR** gives the text, **Convert to Markdown** keeps its structure,
   **Parse Figure** reads charts and drawings, **Locate Object** finds the words you name.
3. Press **Read the picture**. Lines appear as they are recognised; dashed orange boxes deserve a second look.
4. Copy the text, or download it as text, Markdown or JSON. A long PDF becomes a job by itself.

**Manual Control** hands in a document as a job, with every option. **Job History** lists your jobs: how far
each is, its pages as they come, its files. A job goes on when you close the page.
"""


def show(known: Inventory) -> None:
    """One row."""
    st.html(_STYLE + preview.STYLE)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(ICON, width=40, alt="")
        st.title("pecia", width="content", anchor=False)
        st.markdown("Turns a picture of a page into text and shows where each line stands.", width="content")
        connection.show_badge(known)
        st.space("stretch")
        with st.popover("How to use it", icon=":material/help:", type="tertiary"):
            st.markdown(_USAGE)
