"""Where a picture looks like writing: many short strokes, side by side."""

from itertools import groupby

from PIL import Image, ImageChops

# Grey levels of an edge of a stroke.
_EDGE = 48
# Pixels of a cell's side at 144 dots per inch, and the shares of them (of 255) that are edges, across and
# down, where there is writing: more than in the lines of a table, a chart or a frame.
_CELL = 24
_ACROSS, _DOWN = 26, 18
# Cells side by side that make a piece of a line.
_RUN = 3


def writing(picture: Image.Image) -> float:
    """The share, 0 to 1, of a grey picture of 144 dots per inch that looks like writing."""
    if min(picture.size) < _CELL:
        return 0.0
    across, down = _edges(picture, 1, 0), _edges(picture, 0, 1)
    busy = [a >= _ACROSS and d >= _DOWN for a, d in zip(across.tobytes(), down.tobytes(), strict=True)]
    rows = (busy[start : start + across.width] for start in range(0, len(busy), across.width))
    runs = (sum(run) for row in rows for _, run in groupby(row))
    return sum(run for run in runs if run >= _RUN) / len(busy)


def _edges(picture: Image.Image, right: int, down: int) -> Image.Image:
    moved = ImageChops.offset(picture, right, down)
    edges = ImageChops.difference(picture, moved).point(lambda level: 255 * (level >= _EDGE))
    return edges.reduce(_CELL)
