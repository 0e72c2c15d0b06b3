"""The server everybody writes first: transformers' `generate`, one page after the other, same weights."""

import sys

import torch
from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.deepseek.loader import LoadedModel

from benchmarks.gpu import clock
from benchmarks.gpu.pages import Asked, asked
from benchmarks.gpu.scale import Scale

_BYTE, _CENTRE = 255.0, 0.5
_PADDING = 2


def experts(loaded: LoadedModel) -> str:
    """How transformers computes experts where nobody says otherwise."""
    config = loaded.model.config.get_text_config()
    return str(getattr(config, "_experts_implementation", None) or "its default")


def measure(loaded: LoadedModel, scale: Scale, rounds: int) -> list[float]:
    """Seconds a page, picture made ready by us."""
    page = asked(loaded, "base" if "base" in scale.sizes else scale.sizes[-1])
    _generate(loaded, page, 2)
    found = []
    for _ in range(rounds):
        found.append(clock.seconds(loaded.device, lambda: _generate(loaded, page, scale.rival_tokens)))
        print(f"generate: {found[-1]:.2f} s a page", file=sys.stderr, flush=True)
    return found


def _generate(loaded: LoadedModel, page: Asked, tokens: int) -> None:
    weight = next(loaded.model.parameters())
    ids = torch.tensor([page.ids], device=weight.device)
    with torch.inference_mode():
        answer = loaded.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=_normalised(page.views.overview[None]).to(weight.device, weight.dtype),
            pixel_values_local=None,
            num_local_patches=[0],
            patches_grid=[[1, 1]],
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=_PADDING,
        )
    assert answer.shape[1] == len(page.ids) + tokens


def _normalised(squares: Pixels) -> torch.Tensor:
    return (torch.from_numpy(squares).permute(0, 3, 1, 2).float() / _BYTE - _CENTRE) / _CENTRE
