"""What the model is shown: the same pictures and the same number of tokens as the published code."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from pecia_core.errors import InvalidRequest
from pecia_core.vocabulary import ModelSize
from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.deepseek.profiles import PROFILES, Family, ModelProfile
from pecia_ocr.engines.deepseek.views import plan_views, render
from PIL import Image, ImageOps

V1 = PROFILES[Family.V1]
V2 = PROFILES[Family.V2]
UNLIMITED = PROFILES[Family.UNLIMITED]
SHAPES = [
    (640, 640),
    (641, 300),
    (300, 641),
    (1240, 1754),
    (1754, 1240),
    (777, 1333),
    (3000, 211),
    (97, 2048),
]


def published_grid(width: int, height: int, most: int, tile: int) -> tuple[int, int]:
    """Columns and rows by the definition: the grid of the closest aspect, ties by area."""
    grids = {
        (i, j)
        for n in range(2, most + 1)
        for i in range(1, n + 1)
        for j in range(1, n + 1)
        if 2 <= i * j <= most
    }
    best_difference, best = float("inf"), (1, 1)
    for grid in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        difference = abs(width / height - grid[0] / grid[1])
        if difference < best_difference:
            best_difference, best = difference, grid
        elif difference == best_difference and width * height > 0.5 * tile * tile * grid[0] * grid[1]:
            best = grid
    return best


def page(width: int, height: int) -> Pixels:
    """Noise over a slope: every pixel matters to a comparison."""
    noise = np.random.default_rng(width * 10_000 + height).integers(0, 128, (height, width, 3))
    slope = np.linspace(0, 127, width)[None, :, None]
    return (noise + slope).astype(np.uint8)


def random_sizes(count: int) -> list[tuple[int, int]]:
    """Sides from one pixel to 6000, small ones as often as large ones, and those around a tile's side."""
    random = Random(20_261_121)  # noqa: S311 - a test, the same every time
    edges = [(w, h) for w in (1, 639, 640, 641, 767, 768, 769) for h in (1, 640, 641, 768, 769)]
    sizes = [
        (round(10 ** random.uniform(0, 3.78)), round(10 ** random.uniform(0, 3.78))) for _ in range(count)
    ]
    return edges + sizes


def test_tokens_of_ten_thousand_pages() -> None:
    """73, 111, 273, 421 tokens whatever the page; Gundam adds (10R)(10C+1) for its tiles."""
    grids = set()
    for width, height in random_sizes(10_000):
        fixed = {ModelSize.TINY: 73, ModelSize.SMALL: 111, ModelSize.BASE: 273, ModelSize.LARGE: 421}
        for size, tokens in fixed.items():
            plan = plan_views(width, height, size, V1)
            assert (plan.image_tokens, plan.columns, plan.rows) == (tokens, 0, 0)
        plan = plan_views(width, height, ModelSize.GUNDAM, V1)
        tiled = width > 640 or height > 640
        assert (plan.columns, plan.rows) == (published_grid(width, height, 9, 640) if tiled else (0, 0))
        assert plan.image_tokens == 273 + (10 * plan.rows) * (10 * plan.columns + 1) * tiled
        grids.add((plan.columns, plan.rows))
    assert len(grids) > 15


@pytest.mark.parametrize("most", [2, 3, 4, 6, 9, 32])
def test_the_grid_is_the_published_one(most: int) -> None:
    """The closest aspect wins and ties go by area, for every number of tiles a checkpoint allows."""
    profile = replace(V1, max_tiles=most)
    ties = [(k * a, k * b) for k in (1, 3, 200, 900) for a, b in ((5, 4), (4, 5), (3, 2), (7, 4), (1, 1))]
    for width, height in random_sizes(2000) + ties:
        if width > 640 or height > 640:
            plan = plan_views(width, height, ModelSize.GUNDAM, profile)
            assert (plan.columns, plan.rows) == published_grid(width, height, most, 640), (width, height)


@pytest.mark.parametrize(
    ("profile", "width", "height", "tokens"),
    [
        (V1, 1240, 1754, 903),
        (V1, 1754, 1240, 893),
        (V1, 641, 1282, 493),
        (V1, 2000, 2000, 1203),
        (V2, 1240, 1754, 1121),
        (V2, 768, 768, 257),
        (UNLIMITED, 640, 640, 273),
        (UNLIMITED, 3000, 4500, 273 + 60 * 41),
    ],
)
def test_known_pages_cost_what_the_published_code_counts(
    profile: ModelProfile, width: int, height: int, tokens: int
) -> None:
    """A4 upright is 2 x 3 tiles, across 3 x 2; the second model has no newlines; Unlimited cuts finer."""
    assert plan_views(width, height, ModelSize.GUNDAM, profile).image_tokens == tokens


@pytest.mark.parametrize(("width", "height"), SHAPES)
@pytest.mark.parametrize("size", [ModelSize.BASE, ModelSize.LARGE, ModelSize.GUNDAM])
def test_padded_overviews_are_pillows(size: ModelSize, width: int, height: int) -> None:
    """Base, Large and Gundam keep the aspect and pad with 127, to the bit as ImageOps.pad does."""
    pixels = page(width, height)
    plan = plan_views(width, height, size, V1)
    side = V1.sizes[size].global_px
    wanted = ImageOps.pad(Image.fromarray(pixels), (side, side), color=(127, 127, 127))
    assert np.array_equal(render(pixels, plan).overview, np.asarray(wanted))


@pytest.mark.parametrize(("width", "height"), SHAPES)
@pytest.mark.parametrize("size", [ModelSize.TINY, ModelSize.SMALL])
def test_small_overviews_are_stretched(size: ModelSize, width: int, height: int) -> None:
    """Tiny and Small fill their square, to the bit as Image.resize does."""
    pixels = page(width, height)
    views = render(pixels, plan_views(width, height, size, V1))
    side = V1.sizes[size].global_px
    assert np.array_equal(views.overview, np.asarray(Image.fromarray(pixels).resize((side, side))))
    assert views.tiles == []


@pytest.mark.parametrize(("width", "height"), SHAPES)
@pytest.mark.parametrize(("profile", "side"), [(V1, 640), (V2, 768)])
def test_tiles_are_cut_out_of_the_stretched_page(
    profile: ModelProfile, side: int, width: int, height: int
) -> None:
    """The page is stretched to whole tiles and cut row by row."""
    pixels = page(width, height)
    plan = plan_views(width, height, ModelSize.GUNDAM, profile)
    views = render(pixels, plan)
    assert len(views.tiles) == plan.columns * plan.rows
    assert (len(views.tiles) == 0) == (width <= side and height <= side)
    stretched = Image.fromarray(pixels).resize((side * max(plan.columns, 1), side * max(plan.rows, 1)))
    for index, tile in enumerate(views.tiles):
        left, top = index % plan.columns * side, index // plan.columns * side
        wanted = np.asarray(stretched.crop((left, top, left + side, top + side)))
        assert np.array_equal(tile, wanted)
        assert tile.flags.writeable


@pytest.mark.parametrize(("width", "height"), [(5000, 1), (1, 5000), (4000, 2)])
def test_a_thin_page_leaves_a_trace(width: int, height: int) -> None:
    """A line of pixels is not rounded away: it stays one row or column of the overview."""
    pixels = np.zeros((height, width, 3), np.uint8)
    views = render(pixels, plan_views(width, height, ModelSize.BASE, V1))
    assert views.overview.shape == (1024, 1024, 3)
    assert (views.overview == 0).sum() == 1024 * 3


def test_a_size_the_checkpoint_lacks_is_refused() -> None:
    """The refusal names the sizes there are; no size is the profile's own."""
    with pytest.raises(InvalidRequest, match="only gundam") as refused:
        plan_views(100, 100, ModelSize.TINY, V2)
    assert refused.value.param == "model_size"
    assert plan_views(100, 100, None, V2).size is ModelSize.GUNDAM


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0)])
def test_a_page_without_pixels_is_refused(width: int, height: int) -> None:
    """Nothing is divided by zero."""
    with pytest.raises(ValueError, match="at least one pixel"):
        plan_views(width, height, None, V1)
