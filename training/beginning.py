"""Weights to learn from.

Those of `pecia_ocr.engines.deepseek.testing` are spread wide, so that each part of an untrained model shows
in what it says. To learn from they are bad: the embedding of a patch would be 14 times what layers add to it.
"""

import math

import torch
from torch import nn

_SMALL = 0.02
_WORDS = 0.5  # of a token's embedding: as the stand-ins of pictures
_DAMPED = 0.5  # what a layer adds to its input
_ADDS = ("attn.proj.", "lin2.", "out_proj.", "fc2.", "o_proj.", "down_proj.")
_PLACES = ("pos_embed", "position_embedding", "class_embedding", "image_newline", "view_separator")


def begin(model: nn.Module, seed: int) -> None:
    """Draw every weight anew, in place; the same seed draws the same."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            drawn = torch.randn(weight.shape, generator=dice)
            weight.copy_(drawn * _spread(name, weight) + _middle(name, weight))


def _spread(name: str, weight: torch.Tensor) -> float:
    if any(part in name for part in _PLACES):
        return _SMALL
    if "embed_tokens" in name:
        return _WORDS
    # What shifts attention by distance begins with nothing, as vectors do.
    if "rel_pos" in name or weight.ndim == 1:
        return 0.0
    # Experts are stacked: the first axis is theirs.
    inner = weight.shape[2:] if ".experts." in name else weight.shape[1:]
    damping = _DAMPED if any(part in name for part in _ADDS) else 1.0
    return damping / math.sqrt(math.prod(inner))


def _middle(name: str, weight: torch.Tensor) -> float:
    """Norms begin as factors of one."""
    return 1.0 if weight.ndim == 1 and "norm" in name and name.endswith("weight") else 0.0
