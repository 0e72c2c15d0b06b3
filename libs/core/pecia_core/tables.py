"""A table as a model writes it, in HTML, as rows of plain cells.

The model reads what strangers print, so that its HTML is not trusted: of the tags only those of a table
count, and of their attributes only the spans. Everything else is text of a cell.
"""

import re
from html.parser import HTMLParser

_LONGEST = 1_000_000  # characters
_MOST_COLUMNS = 200
_MOST_CELLS = 20_000
_TAGS = "table|caption|colgroup|col|thead|tbody|tfoot|tr|th|td|br|b|i|u|strong|em|sub|sup"
# A "<" that begins none of these tags is text. The parser sees only whole tags, and stays linear.
_TEXT = re.compile(rf"<(?!/?(?:{_TAGS})(?:\s[^<>]{{0,200}}|/)?>)", re.IGNORECASE)

Rows = tuple[tuple[str, ...], ...]


def table_rows(html: str) -> Rows | None:
    """The cells of one table, row by row, all rows of one length; white space in a cell is one space.

    A cell that spans several columns or rows has its text in the first of them, the others are empty. An
    end that is missing, because the model was stopped, is where the text ends.

    Returns:
        None for anything but one table, and for one of more than 200 columns or 20,000 cells; nothing for
        a table without cells.
    """
    if len(html) > _LONGEST:
        return None
    parser = _Parser()
    parser.feed(_TEXT.sub("&lt;", html))
    parser.close()
    if parser.strange or parser.tables != 1:
        return None
    return _grid(parser.rows)


class _Cell:
    """A cell as written."""

    def __init__(self, across: int, down: int) -> None:
        self.across, self.down = across, down
        self.parts: list[str] = []

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


class _Parser(HTMLParser):
    """Collects rows of cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[_Cell]] = []
        self.tables = 0
        self.strange = False  # text or cells where a table has none
        self._inside = False
        self._caption = False
        self._cell: _Cell | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        match tag:
            case "table":
                self.strange |= self._inside
                self._inside = True
                self.tables += 1
            case "caption":
                self._caption = True
            case "tr":
                self._cell = None
                self.rows.append([])
            case "td" | "th":
                self._begin(dict(attrs))
            case "br":
                self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "table":
                self._inside, self._cell = False, None
            case "caption":
                self._caption = False
            case "td" | "th" | "tr":
                self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell:
            self._cell.parts.append(data)
        elif not self._caption:
            self.strange |= bool(data.strip())

    def _begin(self, attributes: dict[str, str | None]) -> None:
        if not self._inside or not self.rows:
            self.strange = True
            return
        self._cell = _Cell(_span(attributes.get("colspan")), _span(attributes.get("rowspan")))
        self.rows[-1].append(self._cell)


def _span(value: str | None) -> int:
    return max(1, min(int(value), _MOST_COLUMNS)) if value and re.fullmatch("[0-9]{1,4}", value) else 1


def _grid(rows: list[list[_Cell]]) -> Rows | None:
    """Every cell in its place; None = too large."""
    taken: dict[tuple[int, int], str] = {}
    for y, row in enumerate(rows):
        x = 0
        for cell in row:
            while (y, x) in taken:
                x += 1
            down = min(cell.down, len(rows) - y)
            if x + cell.across > _MOST_COLUMNS or len(taken) + cell.across * down > _MOST_CELLS:
                return None
            taken |= {(y + j, x + i): "" for j in range(down) for i in range(cell.across)}
            taken[y, x] = cell.text
            x += cell.across
    columns = max((x + 1 for _, x in taken), default=0)
    if len(rows) * columns > _MOST_CELLS:
        return None
    if not columns:
        return ()
    return tuple(tuple(taken.get((y, x), "") for x in range(columns)) for y in range(len(rows)))
