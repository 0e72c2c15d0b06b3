"""A page or document as text, Markdown, JSON or CSV. Pure: the same page always gives the same bytes."""

from pecia_core.formats.cells import document_csv, note_csv, tables_csv
from pecia_core.formats.inert import inert
from pecia_core.formats.markdown import document_markdown, page_markdown
from pecia_core.formats.plain import document_text, line_text, page_text, separator
from pecia_core.formats.structured import document_from_json, document_json, page_from_json, page_json

__all__ = [
    "document_csv",
    "document_from_json",
    "document_json",
    "document_markdown",
    "document_text",
    "inert",
    "line_text",
    "note_csv",
    "page_from_json",
    "page_json",
    "page_markdown",
    "page_text",
    "separator",
    "tables_csv",
]
