"""What the model sees, against numbers that upstream's own code gave.

`deepseek_upstream.npz` was made once: the tiny checkpoint of `pecia_ocr.engines.deepseek.testing` (seed 0)
was loaded into `sam_vary_sdpa.ImageEncoderViT` and `clip_sdpa.VitModel` of the repository
deepseek-ai/DeepSeek-OCR, its projector, newlines and separator laid out as in that repository's
`deepseek_ocr.py`, and a plain decoder written from the architecture (rotary attention over the whole
prompt, softmax router, experts one by one), all in single precision on a CPU. For each size it holds every
token's product with two fixed vectors, and 16 tokens in full; then scores and greedy tokens of one prompt.
Features are of the size of 1 and agree to 1e-4; scores are of the size of 1 and agree to 1e-3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pecia_core.errors import EngineFailed, OutOfMemory
from pecia_core.vocabulary import ModelSize
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.rehearsal import Page, noise, page
from pecia_ocr.engines.deepseek.views import Views
from pecia_ocr.engines.deepseek.vision import VisionEncoder

Upstream = dict[str, NDArray[Any]]


@pytest.fixture(scope="session")
def upstream() -> Upstream:
    """The frozen numbers."""
    with np.load(Path(__file__).with_name("deepseek_upstream.npz")) as numbers:
        return dict(numbers)


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    """As the scheduler's thread does it."""
    with torch.inference_mode():
        yield


def features(model: LoadedModel, *pages: Page) -> list[torch.Tensor]:
    """Of each page; none may fail."""
    encoded = VisionEncoder(model).encode(pages)
    return [one for one in encoded if isinstance(one, torch.Tensor)]


@contextmanager
def memory_for(model: LoadedModel, squares: int, side: int) -> Iterator[list[int]]:
    """As if no more squares of this side fitted at once; says how many were tried."""
    tried = []

    def check(_module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        tried.append(len(inputs[0]))
        if inputs[0].shape[-1] == side and len(inputs[0]) > squares:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = model.model.model.vision_tower.register_forward_pre_hook(check)
    try:
        yield tried
    finally:
        hook.remove()


@pytest.mark.parametrize("size", list(ModelSize))
def test_features_are_upstreams(tiny_model: LoadedModel, upstream: Upstream, size: ModelSize) -> None:
    """Token for token, in upstream's order: tiles, overview, separator, newlines between."""
    (got,) = features(tiny_model, page(tiny_model.profile, size, seed=int(upstream[f"{size}_seed"])))
    assert len(got) == upstream[f"{size}_products"].shape[0]
    products = got.double().numpy() @ upstream["directions"]
    np.testing.assert_allclose(products, upstream[f"{size}_products"], rtol=0, atol=1e-3)
    chosen = upstream[f"{size}_chosen"]
    np.testing.assert_allclose(got.numpy()[chosen], upstream[f"{size}_tokens"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("tiles", [(2, 1)])
def test_features_are_those_of_the_native_class(tiny_model: LoadedModel, tiles: tuple[int, int]) -> None:
    """Whose own layout of tiles is another piece of code."""
    views, plan = page(tiny_model.profile, ModelSize.GUNDAM, 40, tiles)
    (got,) = features(tiny_model, (views, plan))

    def normalised(squares: list[NDArray[np.uint8]]) -> torch.Tensor:
        return (torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5

    native = tiny_model.model.get_image_features(
        normalised([views.overview]),
        normalised(views.tiles),
        [len(views.tiles)],
        [list(tiles)],
        return_dict=True,
    )
    assert torch.allclose(got, native.pooler_output[0], rtol=0, atol=1e-5)


def test_pages_of_all_sizes_are_encoded_together(tiny_model: LoadedModel) -> None:
    """Each as if it were alone, squares of one size in one batch; no page at all is fine, too."""
    kinds = [ModelSize.TINY, ModelSize.SMALL, ModelSize.TINY]
    pages = [page(tiny_model.profile, size, seed) for seed, size in enumerate(kinds)]
    with memory_for(tiny_model, 9, 0) as tried:
        together = features(tiny_model, *pages)
    assert tried == [2, 1]
    for one, shown in zip(together, pages, strict=True):
        assert torch.allclose(one, features(tiny_model, shown)[0], rtol=0, atol=1e-5)
    assert VisionEncoder(tiny_model).encode([]) == []


def test_large_squares_go_one_by_one(tiny_model: LoadedModel) -> None:
    """They would take a gigabyte a layer each."""
    shown = page(tiny_model.profile, ModelSize.LARGE)
    with memory_for(tiny_model, 0, 1280) as tried:
        VisionEncoder(tiny_model).encode([shown, shown])
    assert tried == [1, 1]


def test_less_memory_means_smaller_batches(tiny_model: LoadedModel) -> None:
    """Half as many at once, until they fit; the features are the same."""
    pages = [page(tiny_model.profile, ModelSize.TINY, seed) for seed in range(3)]
    with memory_for(tiny_model, 1, 512) as tried:
        together = features(tiny_model, *pages)
    assert tried == [3, 1, 1, 1]
    expected = features(tiny_model, *pages)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(together, expected, strict=True))


def test_a_page_that_never_fits_fails_alone(tiny_model: LoadedModel) -> None:
    """With the error whose message says to ask for a smaller size; the others are read."""
    kinds = [ModelSize.SMALL, ModelSize.TINY, ModelSize.SMALL]
    pages = [page(tiny_model.profile, size) for size in kinds]
    with memory_for(tiny_model, 0, 640):
        small, tiny, other = VisionEncoder(tiny_model).encode(pages)
    assert isinstance(small, OutOfMemory)
    assert isinstance(other, OutOfMemory)
    assert "smaller model_size" in small.message
    assert isinstance(tiny, torch.Tensor)


def test_views_of_another_plan_are_refused(tiny_model: LoadedModel) -> None:
    """Nothing is put where it does not belong."""
    _, plan = page(tiny_model.profile, ModelSize.SMALL)
    (failed,) = VisionEncoder(tiny_model).encode([(Views(noise(512, 0), []), plan)])
    assert isinstance(failed, EngineFailed)
