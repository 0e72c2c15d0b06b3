"""Markdown as it is meant, made harmless before a browser sees it. Streamlit's own also draws diagrams."""

import streamlit as st

from pecia_ui.markup import html

STYLE = """<style>
.pecia-preview table { border-collapse: collapse; }
.pecia-preview :is(td, th) { border: 1px solid #8884; padding: .3rem .6rem; }
.pecia-preview :is(td, th, pre) { white-space: pre-wrap; }
</style>"""


def show(markdown: str) -> None:
    """What was read, as on paper, in a frame."""
    st.container(border=True).html(f'<div class="pecia-preview">{html(markdown)}</div>')
