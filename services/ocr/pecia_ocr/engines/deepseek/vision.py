"""Pictures become embeddings that stand where the prompt has its picture tokens.

Squares of one size are encoded together, whoever's they are, in batches as small as their memory asks for:
each of SAM's global layers holds heads x tokens x tokens numbers, 983 MB for one square of 1280 pixels.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pecia_core.errors import EngineFailed, OutOfMemory, PeciaError

from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.views import Shown, Views

log = logging.getLogger(__name__)

# Squares of so many pixels a side that fit beside the weights on a card of 24 GB; others go one by one.
_TOGETHER = {1280: 1, 1024: 2, 768: 4, 640: 8, 512: 8}
_BYTE = 255.0
_CENTRE = 0.5

# A page's number in the batch, and which of its squares: 0 is the overview, then the tiles.
_Place = tuple[int, int]


class VisionEncoder:
    """The encoder and the projector of one model."""

    def __init__(self, loaded: LoadedModel) -> None:
        """Use a loaded model."""
        self._model: Any = loaded.model.model
        self._newlines = loaded.profile.newlines
        weight = next(loaded.model.parameters())
        self._device, self._dtype = weight.device, weight.dtype

    def encode(self, pages: Sequence[Shown]) -> list[torch.Tensor | PeciaError]:
        """The embeddings of each page, or why there are none.

        Returns:
            A page: [its plan's image_tokens, width of the language model], tiles first, then the overview.
            OutOfMemory where even one of its squares alone does not fit; EngineFailed where the views are
            not those of the plan.
        """
        failures: dict[int, PeciaError] = {}
        encoded: dict[_Place, torch.Tensor] = {}
        for side, places in _by_side(pages).items():
            self._encode_all(pages, places, _TOGETHER.get(side, 1), (encoded, failures))
        return [
            failures.get(number) or self._arranged(number, page, encoded) for number, page in enumerate(pages)
        ]

    def _encode_all(
        self,
        pages: Sequence[Shown],
        places: list[_Place],
        together: int,
        outcome: tuple[dict[_Place, torch.Tensor], dict[int, PeciaError]],
    ) -> None:
        """All squares of one size; where memory runs out, half as many at once."""
        encoded, failures = outcome
        while places := [place for place in places if place[0] not in failures]:
            batch = places[:together]
            try:
                features = self._features(np.stack([_square(pages[page][0], index) for page, index in batch]))
            except torch.OutOfMemoryError:
                release_memory(self._device)
                if len(batch) == 1:
                    failures[batch[0][0]] = too_little_memory()
                log.warning("Out of memory while encoding %d squares at once", len(batch))
                together = max(1, len(batch) // 2)
                continue
            encoded.update(zip(batch, features, strict=True))
            places = places[len(batch) :]

    def _features(self, squares: Pixels) -> torch.Tensor:
        """[squares, side, side, 3] of bytes -> [squares, tokens, width]."""
        pixels = torch.from_numpy(squares).to(self._device).permute(0, 3, 1, 2)
        # As published: 0..255 -> -1..1, in single precision, then the weights' type.
        normalised = (pixels.float() / _BYTE - _CENTRE) / _CENTRE
        seen = self._model.vision_tower(normalised.to(self._dtype).contiguous())
        projected: torch.Tensor = self._model.multi_modal_projector(seen.last_hidden_state)
        return projected

    def _arranged(
        self, page: int, shown: Shown, encoded: dict[_Place, torch.Tensor]
    ) -> torch.Tensor | PeciaError:
        views, plan = shown
        overview = self._rows(encoded[page, 0][None], 1, 1)
        separator = self._model.view_separator[None]
        parts = [overview, separator]
        if views.tiles:
            tiles = torch.stack([encoded[page, 1 + index] for index in range(len(views.tiles))])
            parts.insert(0, self._rows(tiles, plan.columns, plan.rows))
        arranged = torch.cat(parts)
        if len(arranged) != plan.image_tokens:
            return EngineFailed(f"A picture of {plan.image_tokens} tokens became {len(arranged)}.")
        return arranged

    def _rows(self, squares: torch.Tensor, columns: int, rows: int) -> torch.Tensor:
        """Side by side, row of tokens after row, where the model has newlines; else square after square."""
        width = squares.shape[-1]
        if not self._newlines:
            return squares.reshape(-1, width)
        side = int(squares.shape[1] ** 0.5)
        grid = squares.view(rows, columns, side, side, width).transpose(1, 2)
        grid = grid.reshape(rows * side, columns * side, width)
        newline = self._model.image_newline.expand(rows * side, 1, width)
        return torch.cat([grid, newline], 1).reshape(-1, width)


def _by_side(pages: Sequence[Shown]) -> dict[int, list[_Place]]:
    """Which squares are equally large."""
    groups: dict[int, list[_Place]] = {}
    for page, (views, _) in enumerate(pages):
        for index in range(1 + len(views.tiles)):
            groups.setdefault(len(_square(views, index)), []).append((page, index))
    return groups


def _square(views: Views, index: int) -> Pixels:
    return views.tiles[index - 1] if index else views.overview


def release_memory(device: torch.device) -> None:
    """Give cached blocks back, so that larger ones can be had."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def too_little_memory() -> OutOfMemory:
    """What a caller is told whose page does not fit."""
    return OutOfMemory(
        "The GPU has too little memory for this page at this size. Ask for a smaller model_size."
    )
