"""A DeepSeek-OCR v1 checkpoint of half a megabyte with seeded weights: its words are noise, always the same.

Config, tensors and tokenizer are named and shaped as published, so that what loads this loads the real one.
Weights come from a generator whose numbers are the same on every machine.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

# The published names, in the order of their ids here: after the first three come the 256 bytes.
_BAR, _GAP = "\N{FULLWIDTH VERTICAL LINE}", "\N{LOWER ONE EIGHTH BLOCK}"
_FIRST = tuple(
    f"<{_BAR}{name.replace(' ', _GAP)}{_BAR}>" for name in ("begin of sentence", "end of sentence", " pad ")
)
_LAST = (
    "<image>",
    *("<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>"),
    *("<td>", "</td>", "<tr>", "</tr>"),
)
IMAGE_TOKEN_ID = len(_FIRST) + 256
_PICTURE = 1024
_PATCH = 16
_CLIP_PATCHES = 256
_WINDOW = 14

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Dimensions:
    """How large a checkpoint is: `sam` and `clip` see, the rest writes. Published: 768, 1024, 1280, ..."""

    hidden: int = 48
    heads: int = 4
    layers: int = 3
    mlp: int = 96
    expert: int = 16
    experts: int = 8
    chosen: int = 3
    shared: int = 2
    sam: int = 24
    sam_heads: int = 2
    sam_layers: int = 3
    sam_global: tuple[int, ...] = (1,)
    sam_out: int = 16
    sam_down: tuple[int, int] = (24, 32)
    clip: int = 32
    clip_heads: int = 4
    clip_layers: int = 2
    vocabulary: int = 288
    context: int = 2048


# As deepseek-ai/DeepSeek-OCR's config.json says.
PUBLISHED = Dimensions(
    hidden=1280,
    heads=10,
    layers=12,
    mlp=6848,
    expert=896,
    experts=64,
    chosen=6,
    shared=2,
    sam=768,
    sam_heads=12,
    sam_layers=12,
    sam_global=(2, 5, 8, 11),
    sam_out=256,
    sam_down=(512, 1024),
    clip=1024,
    clip_heads=16,
    clip_layers=24,
    vocabulary=129_280,
    context=8192,
)


def config(size: Dimensions) -> dict[str, Any]:
    """A config.json as published, with these dimensions."""
    language = {
        "architectures": ["DeepseekV2ForCausalLM"],
        "bos_token_id": 0,
        "eos_token_id": 1,
        "image_token_id": IMAGE_TOKEN_ID,
        "first_k_dense_replace": 1,
        "hidden_size": size.hidden,
        "intermediate_size": size.mlp,
        "lm_head": True,
        "max_position_embeddings": size.context,
        "moe_intermediate_size": size.expert,
        "n_group": 1,
        "n_routed_experts": size.experts,
        "n_shared_experts": size.shared,
        "num_attention_heads": size.heads,
        "num_experts_per_tok": size.chosen,
        "num_hidden_layers": size.layers,
        "num_key_value_heads": size.heads,
        "topk_group": 1,
        "topk_method": "greedy",
        "torch_dtype": "bfloat16",
        "use_mla": False,
        "vocab_size": size.vocabulary,
    }
    clip = {
        "heads": size.clip_heads,
        "image_size": 224,
        "layers": size.clip_layers,
        "patch_size": 14,
        "width": size.clip,
    }
    sam = {
        "downsample_channels": list(size.sam_down),
        "global_attn_indexes": list(size.sam_global),
        "heads": size.sam_heads,
        "layers": size.sam_layers,
        "out_channels": size.sam_out,
        "width": size.sam,
    }
    return {
        "architectures": ["DeepseekOCRForCausalLM"],
        "auto_map": {"AutoModel": "modeling_deepseekocr.DeepseekOCRForCausalLM"},
        "language_config": language,
        "model_type": "deepseek_vl_v2",
        "norm_topk_prob": False,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "routed_scaling_factor": 1.0,
        "scoring_func": "softmax",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vision_config": {"image_size": 1024, "width": {"clip-l-14-224": clip, "sam_vit_b": sam}},
    }


def shapes(size: Dimensions) -> dict[str, Shape]:
    """Every tensor of a checkpoint by its published name."""
    return dict(_tensors(size))


def _tensors(size: Dimensions) -> Iterator[tuple[str, Shape]]:
    yield "lm_head.weight", (size.vocabulary, size.hidden)
    yield "model.embed_tokens.weight", (size.vocabulary, size.hidden)
    for name in ("norm.weight", "image_newline", "view_seperator"):
        yield f"model.{name}", (size.hidden,)
    yield from _linear("model.projector.layers", size.clip + size.sam_down[1], size.hidden)
    for index in range(size.layers):
        yield from _layer(f"model.layers.{index}", size, dense=index == 0)
    yield from _sam("model.sam_model", size)
    yield from _clip("model.vision_model", size)


def _linear(name: str, inner: int, outer: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (outer, inner)
    yield f"{name}.bias", (outer,)


def _norm(name: str, width: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _gated(name: str, width: int, inner: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.gate_proj.weight", (inner, width)
    yield f"{name}.up_proj.weight", (inner, width)
    yield f"{name}.down_proj.weight", (width, inner)


def _layer(name: str, size: Dimensions, *, dense: bool) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.input_layernorm.weight", (size.hidden,)
    yield f"{name}.post_attention_layernorm.weight", (size.hidden,)
    for part in "qkvo":
        yield f"{name}.self_attn.{part}_proj.weight", (size.hidden, size.hidden)
    if dense:
        yield from _gated(f"{name}.mlp", size.hidden, size.mlp)
        return
    yield f"{name}.mlp.gate.weight", (size.experts, size.hidden)
    yield from _gated(f"{name}.mlp.shared_experts", size.hidden, size.expert * size.shared)
    for index in range(size.experts):
        yield from _gated(f"{name}.mlp.experts.{index}", size.hidden, size.expert)


def _sam(name: str, size: Dimensions) -> Iterator[tuple[str, Shape]]:
    width, side = size.sam, _PICTURE // _PATCH
    yield f"{name}.pos_embed", (1, side, side, width)
    yield f"{name}.patch_embed.proj.weight", (width, 3, _PATCH, _PATCH)
    yield f"{name}.patch_embed.proj.bias", (width,)
    for index in range(size.sam_layers):
        block, reach = f"{name}.blocks.{index}", side if index in size.sam_global else _WINDOW
        yield from _norm(f"{block}.norm1", width)
        yield from _norm(f"{block}.norm2", width)
        yield from _linear(f"{block}.attn.qkv", width, 3 * width)
        yield from _linear(f"{block}.attn.proj", width, width)
        for axis in "hw":
            yield f"{block}.attn.rel_pos_{axis}", (2 * reach - 1, width // size.sam_heads)
        yield from _linear(f"{block}.mlp.lin1", width, 4 * width)
        yield from _linear(f"{block}.mlp.lin2", 4 * width, width)
    yield f"{name}.neck.0.weight", (size.sam_out, width, 1, 1)
    yield from _norm(f"{name}.neck.1", size.sam_out)
    yield f"{name}.neck.2.weight", (size.sam_out, size.sam_out, 3, 3)
    yield from _norm(f"{name}.neck.3", size.sam_out)
    yield f"{name}.net_2.weight", (size.sam_down[0], size.sam_out, 3, 3)
    yield f"{name}.net_3.weight", (size.sam_down[1], size.sam_down[0], 3, 3)


def _clip(name: str, size: Dimensions) -> Iterator[tuple[str, Shape]]:
    width = size.clip
    yield f"{name}.embeddings.class_embedding", (width,)
    # The published model has it and never uses it: SAM's features take its place.
    yield f"{name}.embeddings.patch_embedding.weight", (width, 3, 14, 14)
    yield f"{name}.embeddings.position_embedding.weight", (_CLIP_PATCHES + 1, width)
    yield from _norm(f"{name}.pre_layrnorm", width)
    for index in range(size.clip_layers):
        layer = f"{name}.transformer.layers.{index}"
        yield from _norm(f"{layer}.layer_norm1", width)
        yield from _norm(f"{layer}.layer_norm2", width)
        yield from _linear(f"{layer}.self_attn.qkv_proj", width, 3 * width)
        yield from _linear(f"{layer}.self_attn.out_proj", width, width)
        yield from _linear(f"{layer}.mlp.fc1", width, 4 * width)
        yield from _linear(f"{layer}.mlp.fc2", 4 * width, width)


def weights(size: Dimensions, seed: int = 0) -> dict[str, torch.Tensor]:
    """Tensors that make every part matter: wide enough that the likeliest token is seldom a close call."""
    stream = np.random.PCG64(seed)
    tensors = {name: _weight(stream, name, shape) for name, shape in _tensors(size)}
    return {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}


def _weight(stream: np.random.PCG64, name: str, shape: Shape) -> torch.Tensor:
    """Evenly spread around 0, or around 1 for the factors of a norm."""
    position = "embed" in name or "rel_pos" in name
    matrix = len(shape) > 1
    spread = 0.5 if position else 1 / math.sqrt(math.prod(shape[1:])) if matrix else 0.1
    # The top bits of the generator itself: numpy promises these for ever, its distributions it does not.
    raw = (stream.random_raw(math.prod(shape)) >> np.uint64(40)).astype(np.float32) / 2**24
    middle = 1.0 if "norm" in name or ".neck.1." in name or ".neck.3." in name else 0.0
    values = (raw - 0.5) * np.float32(2 * math.sqrt(3) * spread)
    return torch.from_numpy(values.reshape(shape)) + (middle if name.endswith("weight") else 0.0)


def tokenizer(vocabulary: int = 288) -> Tokenizer:
    """The published one's way with text, and its special tokens; every byte is a token of its own."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = [*_FIRST, *letters, *_LAST]
    names += [f"<|spare_{index}|>" for index in range(len(names), vocabulary)]
    model = models.BPE(vocab={name: index for index, name in enumerate(names)}, merges=[])
    made = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    special = [name for name in names if name not in letters]
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return made


def write(folder: Path, size: Dimensions | None = None, seed: int = 0) -> Path:
    """Make the checkpoint in `folder`, which is created; returns it."""
    size = size or Dimensions()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(size), indent=1))
    tokenizer(size.vocabulary).save(str(folder / "tokenizer.json"))
    save_file(weights(size, seed), folder / "model.safetensors", metadata={"format": "pt"})
    return folder
