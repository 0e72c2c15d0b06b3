"""Markdown as a model wrote it, as a document that does nothing: it fetches, runs and leads to nothing.

What a model writes is what somebody put on a page. `text` is passed on as it was said; a document is opened
in programs that fetch pictures and follow links, so that there everything active is escaped: it reads the
same. Tables in HTML become rows between pipes.
"""

import re

from pecia_core.formats.escaping import escaped
from pecia_core.tables import table_rows

TABLE = re.compile(r"(?<!\\)<table(?=[\s>]).*?(?:</table\s*>|\Z)", re.IGNORECASE | re.DOTALL)
# A sign counts as mark-up only behind an even number of backslashes.
_ACTIVE = re.compile(
    r"""(?<!\\)(\\*+)(
        !(?=\[)(?!\[\]\(figure-\d+\))                    # a picture, but for the places of those on the page
        | <(?=[A-Za-z/!?])(?!/?(?:br|b|i|u|em|strong|sub|sup)\s{0,9}/?>)
        | \](?=\(\s*(?!https?://|mailto:|\#|figure-\d))  # a link to anywhere but the web
        | \](?=:\s*(?!https?://|mailto:))
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def inert(markdown: str) -> str:
    """The same to read, nothing in it active. Made inert twice it is what it was after the first time."""
    return _ACTIVE.sub(lambda found: _escaped(found[1], found[2]), TABLE.sub(_piped, markdown))


def table_markdown(html: str) -> str:
    """A table as rows between pipes, its first row as the head; what is no table is text."""
    rows = table_rows(html)
    if rows is None:
        return "\n".join(escaped(line) for line in html.splitlines())
    if not rows:
        return ""
    head, *others = (f"| {' | '.join(map(escaped, row))} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *others])


def formula(latex: str) -> str:
    """A formula on lines of its own, which it cannot end; a space between its signs changes no formula."""
    return f"$$\n{_ACTIVE.sub(_spaced, latex).replace('$$', '$ $').strip()}\n$$"


def _spaced(found: re.Match[str]) -> str:
    # Whatever follows the sign is what would make it mark-up.
    return f"{found[1]}{found[2]} "


def _piped(found: re.Match[str]) -> str:
    return f"\n\n{table_markdown(found[0])}\n\n"


def _escaped(before: str, sign: str) -> str:
    if sign == "<":  # a backslash would not count where a line before is HTML
        return before[: len(before) // 2 * 2] + "&lt;"
    return f"{before}{sign}" if len(before) % 2 else f"{before}\\{sign}"
