"""Tables of a document as CSV (RFC 4180) in which no cell is a formula.

Programs for tables take a cell that begins with =, +, - or @ for a formula, whatever its file says, and
some formulas ask servers or start programs. What is on paper is text: such a cell gets an apostrophe before
it, which those programs show as the text behind it. Numbers with a sign stay numbers.
"""

import csv
import io
import re
from collections.abc import Iterable

from pecia_core.document import Document
from pecia_core.formats.inert import TABLE
from pecia_core.tables import Rows, table_rows

# Also the wide forms, which programs in East Asia take for the same.
_FORMULA = re.compile(r"\s*[=+\-@|\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]\s?(?:\d{1,15}|\d{1,3}(?:[.,' ]\d{3}){1,5})(?:[.,]\d{1,10})?\s?%?")


def document_csv(document: Document) -> str:
    """Every table in reading order, an empty line between them; "" = there is none."""
    return tables_csv(block.content for page in document.pages for block in page.blocks)


def tables_csv(contents: Iterable[str]) -> str:
    """Every table in these texts of blocks, an empty line between them; "" = there is none."""
    tables = (table[0] for content in contents for table in TABLE.finditer(content))
    return "\r\n".join(_written(rows) for table in tables if (rows := table_rows(table)))


def note_csv(text: str) -> str:
    """A sentence as a row of its own, where a table would stand."""
    return _written(((text,),))


def cell(text: str) -> str:
    """The text as a cell that is no formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _written(rows: Rows) -> str:
    sheet = io.StringIO()
    csv.writer(sheet).writerows([[cell(text) for text in row] for row in rows])
    return sheet.getvalue()
