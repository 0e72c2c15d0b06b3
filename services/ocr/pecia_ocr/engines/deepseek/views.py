"""What the model is shown of a page: an overview, and for large pages tiles, resized as it was trained.

The resizing is Pillow's and bit for bit that of the published code: another library's bicubic, or padding
that is one pixel off, makes the model read worse without anything failing.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pecia_core.errors import InvalidRequest
from pecia_core.vocabulary import ModelSize
from PIL import Image, ImageOps

from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.deepseek.profiles import ModelProfile

_TOKEN_PX = 64  # a token stands for so many pixels, across and down
_GREY = (127, 127, 127)
_FEWEST_TILES = 2


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """How one page is shown, and what that costs.

    `columns` x `rows` tiles of `tile_px` squared; all of them 0 where there is only the overview of
    `global_px` squared. `image_tokens` counts every placeholder, newlines and separator included.
    """

    size: ModelSize
    global_px: int
    stretch: bool
    columns: int
    rows: int
    tile_px: int
    image_tokens: int


@dataclass(frozen=True, slots=True)
class Views:
    """Pictures as the encoder wants them, uint8 RGB: [global_px, global_px, 3], tiles row by row alike."""

    overview: NDArray[np.uint8]
    tiles: list[NDArray[np.uint8]]


# A page as the model is shown it.
Shown = tuple[Views, ViewPlan]


def size_of(pixels: Pixels) -> tuple[int, int]:
    """Width and height of a page."""
    height, width = pixels.shape[:2]
    return width, height


def plan_views(width: int, height: int, size: ModelSize | None, profile: ModelProfile) -> ViewPlan:
    """Decide how to show a page of so many pixels.

    Args:
        width: of the page, after its EXIF rotation.
        height: of the page.
        size: None = the profile's default.
        profile: of the checkpoint.

    Raises:
        InvalidRequest: the checkpoint was not trained for this size; the message lists those it knows.
        ValueError: a page without pixels.
    """
    if min(width, height) < 1:
        raise ValueError(f"a page has at least one pixel, not {width} x {height}")
    size = size or profile.default_size
    rule = profile.sizes.get(size)
    if rule is None:
        raise InvalidRequest(
            f"The model {profile.family} has no size {size.value}, only {', '.join(profile.sizes)}.",
            code="unsupported_value",
            param="model_size",
        )
    columns, rows = _tiles(width, height, rule.tile_px or 0, profile.max_tiles)
    tile_px = rule.tile_px if rule.tile_px and columns else 0
    tokens = (
        _rows_of_tokens(rule.global_px, 1, 1, profile) + 1 + _rows_of_tokens(tile_px, columns, rows, profile)
    )
    return ViewPlan(size, rule.global_px, rule.stretch, columns, rows, tile_px, tokens)


def render(pixels: Pixels, plan: ViewPlan) -> Views:
    """Make the pictures of a plan.

    Args:
        pixels: the page, after its EXIF rotation.
        plan: made for a page of this width and height.
    """
    page = Image.fromarray(pixels)
    square = (plan.global_px, plan.global_px)
    overview = (
        page.resize(square, Image.Resampling.BICUBIC) if plan.stretch else _padded(page, plan.global_px)
    )
    return Views(np.array(overview), _cut(page, plan) if plan.columns else [])


def _rows_of_tokens(px: int, columns: int, rows: int, profile: ModelProfile) -> int:
    """Tokens of a grid of squares; each row of them ends with a newline where the model has such."""
    side = px // _TOKEN_PX
    return side * rows * (side * columns + profile.newlines)


def _tiles(width: int, height: int, tile_px: int, most: int) -> tuple[int, int]:
    """Columns and rows; none where one tile would hold the page or the size has no tiles."""
    if max(width, height) <= tile_px or not tile_px or most < _FEWEST_TILES:
        return 0, 0
    aspect = width / height
    best, least = (0, 0), float("inf")
    for columns, rows in _grids(most):
        difference = abs(aspect - columns / rows)
        # Of two grids equally far off, the larger one, if the page fills more than half of it.
        fills = width * height > 0.5 * tile_px * tile_px * columns * rows
        if difference < least or (difference == least and fills):
            best, least = (columns, rows), difference
    return best


@lru_cache
def _grids(most: int) -> tuple[tuple[int, int], ...]:
    """All grids of 2 to `most` tiles, fewest tiles first."""
    sides = range(1, most + 1)
    grids = [(columns, rows) for columns in sides for rows in sides]
    fitting = [grid for grid in grids if _FEWEST_TILES <= grid[0] * grid[1] <= most]
    return tuple(sorted(fitting, key=lambda grid: grid[0] * grid[1]))


def _padded(page: Image.Image, side: int) -> Image.Image:
    """The whole page in a grey square."""
    longest, shortest = max(page.size), min(page.size)
    if round(shortest / longest * side) == 0:
        # Pillow would leave nothing of a page this thin.
        page = page.resize((side, 1) if page.width == longest else (1, side), Image.Resampling.BICUBIC)
    return ImageOps.pad(page, (side, side), Image.Resampling.BICUBIC, color=_GREY)


def _cut(page: Image.Image, plan: ViewPlan) -> list[NDArray[np.uint8]]:
    side = plan.tile_px
    stretched = np.array(page.resize((side * plan.columns, side * plan.rows), Image.Resampling.BICUBIC))
    return [
        np.ascontiguousarray(stretched[row * side : (row + 1) * side, column * side : (column + 1) * side])
        for row in range(plan.rows)
        for column in range(plan.columns)
    ]
