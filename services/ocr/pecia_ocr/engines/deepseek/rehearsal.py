"""For tests: pages of noise, requests about them, and what transformers alone says to these."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from pecia_core.vocabulary import ModelSize

from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.profiles import ModelProfile
from pecia_ocr.engines.deepseek.scheduler import Request, Scheduler, Ticket
from pecia_ocr.engines.deepseek.views import ViewPlan, Views, plan_views

_BLOCK = 8
_PATIENCE, _LOOK = 20.0, 0.005  # seconds
_BYTE, _CENTRE = 255, 0.5
_ONE_ROW = (2, 1)

Page = tuple[Views, ViewPlan]
# The arguments of a part of the model: as they stand, and by name.
Given = tuple[torch.Tensor, ...]
Named = dict[str, Any]


def noise(side: int, seed: int) -> Pixels:
    """A square of blocks of chance colours."""
    blocks = side // _BLOCK
    raw = np.random.PCG64(seed).random_raw(blocks * blocks * 3) >> np.uint64(56)
    colours = raw.astype(np.uint8).reshape(blocks, blocks, 3)
    return colours.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)


def page(profile: ModelProfile, size: ModelSize, seed: int = 0, tiles: tuple[int, int] = (2, 3)) -> Page:
    """A page of noise as the model is shown it; `tiles`: columns and rows, for gundam."""
    rule = profile.sizes[size]
    columns, rows = tiles if rule.tile_px else (1, 1)
    side = rule.tile_px or rule.global_px
    plan = plan_views(columns * side, rows * side, size, profile)
    cut = [noise(plan.tile_px, seed + 1 + index) for index in range(plan.columns * plan.rows)]
    return Views(noise(plan.global_px, seed), cut), plan


def prompt(profile: ModelProfile, plan: ViewPlan | None, *text: int) -> list[int]:
    """The ids of a prompt whose words are these ids."""
    placeholders = [profile.image_token_id] * (plan.image_tokens if plan else 0)
    return [profile.bos_token_id, *placeholders, *text]


def words(*ids: int, **rest: Any) -> Request:  # noqa: ANN401 - fields of Request
    """A request without a picture."""
    return Request([0, *ids], **rest)


def shown(
    model: LoadedModel,
    size: ModelSize,
    seed: int,
    **rest: Any,  # noqa: ANN401 - fields of Request
) -> Request:
    """A request with a page of noise."""
    views, plan = page(model.profile, size, seed, _ONE_ROW)
    return Request(prompt(model.profile, plan, 100 + seed, 12, 13), ((views, plan),), **rest)


def said(ticket: Ticket) -> list[int]:
    """All of its tokens."""
    return [token for step in ticket.steps() for token in step.token_ids]


def generated(
    model: LoadedModel,
    request: Request,
    **rest: Any,  # noqa: ANN401 - of transformers' generate
) -> list[int]:
    """What transformers generates from this request alone, with its own picture code and cache."""
    ids = torch.tensor([request.ids])
    pictures: dict[str, Any] = {}
    if request.pictures:
        plans = [plan for _, plan in request.pictures]
        tiles = [tile for views, _ in request.pictures for tile in views.tiles]
        pictures = {
            "pixel_values": torch.cat([normalised(views.overview[None]) for views, _ in request.pictures]),
            "pixel_values_local": torch.cat([normalised(tile[None]) for tile in tiles]) if tiles else None,
            "num_local_patches": [len(views.tiles) for views, _ in request.pictures],
        }
        if model.profile.newlines:
            pictures["patches_grid"] = [[max(plan.columns, 1), max(plan.rows, 1)] for plan in plans]
    output = model.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=request.max_new_tokens,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=2,
        **pictures,
        **rest,
    )
    return list(output[0, ids.shape[1] :].tolist())


def normalised(squares: Pixels) -> torch.Tensor:
    """As published: [squares, side, side, 3] of bytes -> [squares, 3, side, side] from -1 to 1."""
    return (torch.from_numpy(squares).permute(0, 3, 1, 2).float() / _BYTE - _CENTRE) / _CENTRE


@contextmanager
def failing(module: torch.nn.Module, error: Callable[[Given, Named], Exception | None]) -> Iterator[None]:
    """A part of the model fails when `error` says so of its arguments."""

    def check(_module: torch.nn.Module, positional: Given, named: Named) -> None:
        if (raised := error(positional, named)) is not None:
            raise raised

    hook = module.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def settled(scheduler: Scheduler) -> bool:
    """Wait until nobody runs or waits there; False = that took too long."""
    until = time.monotonic() + _PATIENCE
    while not scheduler.idle:
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK)
    return True
