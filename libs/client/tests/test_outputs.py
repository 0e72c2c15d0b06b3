"""What `pecia ocr --format` writes of a reading."""

from pecia_client.outputs import Format, written
from pecia_client.reading import Reading
from pecia_core.document import Block, Document, Page
from pecia_core.geometry import BBox, Polygon
from pecia_core.vocabulary import BlockKind, TaskType


def test_csv_is_the_tables_and_no_cell_a_formula() -> None:
    """Asked for as Markdown, which has tables; a page without one gives nothing."""
    table = "<table><tr><td>Item</td><td>=1+1</td></tr></table>"
    block = Block(BlockKind.TABLE, Polygon.from_bbox(BBox(0, 0, 9, 9)), content=table)
    reading = Reading("Item", Document((Page(9, 9, (block,)),)))
    assert written(Format.CSV, reading, "a.png") == "Item,'=1+1\r\n"
    assert written(Format.CSV, Reading("no table"), "a.png") == ""
    assert (Format.CSV.task, Format.CSV.suffix) == (TaskType.MARKDOWN, ".csv")
    assert written(Format.TEXT, reading, "a.png") == "Item"
