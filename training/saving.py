"""The trained model as a checkpoint: the published names and files, what the engine's loader reads."""

import hashlib
import json
from pathlib import Path

import torch
from pecia_models.listing import MANIFEST
from pecia_ocr.engines.deepseek import testing
from pecia_ocr.engines.deepseek.testing import Dimensions
from safetensors.torch import save_file

from training.pupil import Pupil

_PARTS = {
    "model.vision_tower.sam_encoder.": "model.sam_model.",
    "model.vision_tower.vision_encoder.": "model.vision_model.",
    "model.multi_modal_projector.": "model.projector.layers.",
    "model.view_separator": "model.view_seperator",
    "model.language_model.": "model.",
}
_SAM = {
    ".layers.": ".blocks.",
    ".layer_norm1.": ".norm1.",
    ".layer_norm2.": ".norm2.",
    ".patch_embed.projection.": ".patch_embed.proj.",
    ".neck.conv1.": ".neck.0.",
    ".neck.norm1.": ".neck.1.",
    ".neck.conv2.": ".neck.2.",
    ".neck.norm2.": ".neck.3.",
    ".proj.conv1.": ".net_2.",
    ".proj.conv2.": ".net_3.",
}
_LISTED = ("config.json", "model.safetensors", "tokenizer.json")


def save(pupil: Pupil, size: Dimensions, folder: Path) -> Path:
    """Write the checkpoint into `folder`, which is created; returns it.

    Raises:
        RuntimeError: a tensor would be missing or has another shape, which a new release of transformers
            may be the reason of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = published(pupil.model.state_dict(), size)
    (folder / "config.json").write_text(json.dumps(testing.config(size), indent=1))
    testing.tokenizer(size.vocabulary).save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in _LISTED]
    (folder / MANIFEST).write_text("".join(sums))
    return folder


def published(state: dict[str, torch.Tensor], size: Dimensions) -> dict[str, torch.Tensor]:
    """Tensors by their published names, in half precision; raises what `save` does."""
    named: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        named.update(_named(_renamed(name), tensor))
    _join(named)
    expected = testing.shapes(size)
    for name, shape in expected.items():
        # The published model has a patch embedding that nothing computes with.
        if name.endswith("vision_model.embeddings.patch_embedding.weight"):
            named.setdefault(name, torch.zeros(shape))
    found = {name: tuple(tensor.shape) for name, tensor in named.items()}
    if wrong := sorted({*found.items()} ^ {*expected.items()}):
        raise RuntimeError(f"The trained tensors are not those of a checkpoint: {wrong[:6]}")
    return {name: tensor.to(torch.bfloat16).cpu().contiguous() for name, tensor in named.items()}


def _renamed(name: str) -> str:
    for ours, theirs in _PARTS.items():
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    if name.startswith("model.sam_model."):
        for ours, theirs in _SAM.items():
            name = name.replace(ours, theirs)
    if name.startswith("model.vision_model."):
        name = name.replace(".encoder.", ".transformer.")
    return name


def _named(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """Stacked experts one by one."""
    stack, _, part = name.partition(".experts.")
    if not part:
        return {name: tensor}
    if part == "down_proj":
        return {f"{stack}.experts.{i}.down_proj.weight": expert for i, expert in enumerate(tensor)}
    halves = {}
    for i, expert in enumerate(tensor):
        gate, up = expert.chunk(2)
        halves[f"{stack}.experts.{i}.gate_proj.weight"] = gate
        halves[f"{stack}.experts.{i}.up_proj.weight"] = up
    return halves


def _join(named: dict[str, torch.Tensor]) -> None:
    """Queries, keys and values of the second encoder in one, as published."""
    for query in [name for name in named if name.startswith("model.vision_model.") and ".q_proj." in name]:
        parts = [named.pop(query.replace(".q_proj.", f".{part}_proj.")) for part in "qkv"]
        named[query.replace(".q_proj.", ".qkv_proj.")] = torch.cat(parts)
