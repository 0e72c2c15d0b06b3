"""What the model says about places: labels, and boxes on its grid of 0 to 999.

Nothing outside `grammar` and this module knows that grid; everybody else has pixels of the page.
"""

import re
from dataclasses import dataclass

from pecia_core.geometry import BBox, Polygon
from pecia_core.vocabulary import BlockKind

_GRID = 999
_NUMBER = r"\s*([0-9]{1,4})\s*"
_BOX = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]", re.ASCII)
_BOXES = re.compile(rf"\s*\[\s*{_BOX.pattern}(?:\s*,\s*{_BOX.pattern})*\s*\]\s*", re.ASCII)
_LABEL_AND_BOX = re.compile(rf"\s*([A-Za-z_][\w-]*)\s*({_BOX.pattern})\s*", re.ASCII)
_LABEL = re.compile(r"\s*[A-Za-z_][\w-]{0,39}\s*", re.ASCII)

_KINDS = {
    BlockKind.TITLE: "title sub_title subtitle doc_title paragraph_title section_title heading",
    BlockKind.TABLE: "table",
    BlockKind.FIGURE: "image figure picture photo chart diagram",
    BlockKind.FORMULA: "equation formula isolate_formula interline_equation display_formula",
    BlockKind.LIST: "list list_item",
    BlockKind.CAPTION: "caption table_caption image_caption figure_caption figure_title chart_caption "
    "formula_caption table_footnote image_footnote figure_footnote",
    BlockKind.HEADER: "header page_header header_image",
    BlockKind.FOOTER: "footer page_footer page_number footnote page_footnote footer_image",
}
_KIND_OF = {label: kind for kind, labels in _KINDS.items() for label in labels.split()}


@dataclass(frozen=True, slots=True)
class Grid:
    """The model's grid laid over a page of so many pixels."""

    width: int
    height: int

    @property
    def whole(self) -> Polygon:
        """The page: where something stands whose place is not known."""
        return Polygon.from_bbox(BBox(0, 0, self.width, self.height))

    def boxes(self, text: str) -> list[BBox] | None:
        """`[[x1, y1, x2, y2], ...]` in pixels, boxes without area left out; None = not that form."""
        if not _BOXES.fullmatch(text):
            return None
        boxes = [self._box(match) for match in _BOX.finditer(text)]
        return [box for box in boxes if box]

    def label_and_boxes(self, text: str) -> tuple[str, list[BBox]] | None:
        """`label [x1, y1, x2, y2]` likewise."""
        match = _LABEL_AND_BOX.fullmatch(text)
        if not match:
            return None
        box = _BOX.fullmatch(match[2])
        found = self._box(box) if box else None
        return match[1], [found] if found else []

    def _box(self, match: re.Match[str]) -> BBox | None:
        x1, y1, x2, y2 = (min(int(number), _GRID) for number in match.groups())
        if x1 == x2 or y1 == y2:
            return None
        (left, right), (top, bottom) = sorted((x1, x2)), sorted((y1, y2))
        across, down = self.width, self.height
        return BBox(
            int(left / _GRID * across),
            int(top / _GRID * down),
            int(right / _GRID * across),
            int(bottom / _GRID * down),
        )


def is_label(text: str) -> bool:
    """Whether this can be a kind of region; the model also refers to the words it read."""
    return bool(_LABEL.fullmatch(text))


def kind_of(label: str) -> BlockKind:
    """What a label means; one we do not know is a paragraph."""
    return _KIND_OF.get(label.strip().lower(), BlockKind.PARAGRAPH)
