"""From a published config.json to the configuration of transformers' own classes: none of its code runs.

DeepSeek-OCR v1 has no class of its own in transformers; Unlimited-OCR's is the same network. Left to its
defaults that one would look at the last 128 generated tokens only, which v1 was not trained for: here every
layer of v1 attends to everything.
"""

from collections.abc import Mapping
from typing import Any

from pecia_core.errors import Unavailable
from transformers import (
    DeepseekOcr2Config,
    DeepseekOcr2ForConditionalGeneration,
    PreTrainedConfig,
    PreTrainedModel,
    UnlimitedOcrConfig,
    UnlimitedOcrForConditionalGeneration,
)

from pecia_ocr.engines.deepseek.kv import FULL
from pecia_ocr.engines.deepseek.profiles import Family, ModelProfile

Config = Mapping[str, Any]

# What describes files or published code, not the network.
_NO_NETWORK = {"architectures", "auto_map", "torch_dtype", "dtype", "lm_head", "rm_head", "model_type"}
# Published configs say these of the whole model, where the language model's part leaves them out.
_SHARED = (
    "attention_bias",
    "hidden_act",
    "rms_norm_eps",
    "rope_scaling",
    "rope_theta",
    "routed_scaling_factor",
)
# Networks that the published code could build and these classes cannot: each with the only value they can.
_FIXED = {"use_mla": False, "norm_topk_prob": False, "scoring_func": "softmax", "moe_layer_freq": 1}
# Of DeepSeek-OCR-2's second encoder nothing stands in its config.json: Qwen2-0.5B, as its code builds it.
_QWEN = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "rope_theta": 1_000_000.0,
}


def model_class(profile: ModelProfile) -> type[PreTrainedModel]:
    """The class of transformers that is this network."""
    v2 = profile.family is Family.V2
    network: type[PreTrainedModel] = (
        DeepseekOcr2ForConditionalGeneration if v2 else UnlimitedOcrForConditionalGeneration
    )
    return network


def native(raw: Config, profile: ModelProfile) -> PreTrainedConfig:
    """The configuration of `model_class`.

    Raises:
        Unavailable: the checkpoint says it is a network that this class is not.
    """
    ids: dict[str, Any] = {
        "image_token_id": profile.image_token_id,
        "bos_token_id": profile.bos_token_id,
        "eos_token_id": profile.eos_token_id,
    }
    kind = DeepseekOcr2Config if profile.family is Family.V2 else UnlimitedOcrConfig
    if "text_config" in raw:
        # Saved by transformers in its own words.
        own = {name: value for name, value in raw.items() if name not in _NO_NETWORK}
        return kind(**{**own, **ids})
    text = _text(raw, profile)
    vision = _vision_v2(raw) if profile.family is Family.V2 else _vision(raw)
    return kind(text_config=text, vision_config=vision, **ids)


def _text(raw: Config, profile: ModelProfile) -> dict[str, Any]:
    shared = {name: raw[name] for name in _SHARED if name in raw}
    told = {**{name: raw[name] for name in _FIXED if name in raw}, **raw["language_config"]}
    for name, only in _FIXED.items():
        if told.get(name, only) != only:
            raise Unavailable(
                f"config.json has {name} = {told[name]!r}; the deepseek engine computes {only!r} only. "
                "Use a published checkpoint."
            )
    text = {name: value for name, value in {**shared, **told}.items() if name not in {*_NO_NETWORK, *_FIXED}}
    if profile.family is Family.UNLIMITED:
        window = raw.get("sliding_window", raw.get("sliding_window_size"))
        return text if window is None else {"sliding_window": window, **text}
    if profile.family is Family.V1:
        text["layer_types"] = [FULL] * text["num_hidden_layers"]
    else:
        dense, layers = text.pop("first_k_dense_replace", 1), text["num_hidden_layers"]
        text["mlp_layer_types"] = ["dense"] * dense + ["sparse"] * (layers - dense)
    return text


def _widths(raw: Config) -> Config:
    widths: Config = raw.get("vision_config", {}).get("width", {})
    return widths


def _sam(raw: Config) -> dict[str, Any]:
    """What the config does not say is as published: 256 channels, an MLP four times as wide."""
    sam = _widths(raw).get("sam_vit_b", {})
    names = {
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "global_attn_indexes": "global_attn_indexes",
        "downsample_channels": "downsample_channels",
        "out_channels": "output_channels",
    }
    known = {ours: sam[theirs] for theirs, ours in names.items() if theirs in sam}
    return known | ({"mlp_dim": 4 * sam["width"]} if "width" in sam else {})


def _vision(raw: Config) -> dict[str, Any]:
    clip = _widths(raw).get("clip-l-14-224", {})
    names = {
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "image_size": "image_size",
        "patch_size": "patch_size",
    }
    known = {ours: clip[theirs] for theirs, ours in names.items() if theirs in clip}
    wide = {"intermediate_size": 4 * clip["width"]} if "width" in clip else {}
    return {"sam_config": _sam(raw), "encoder_config": known | wide}


def _vision_v2(raw: Config) -> dict[str, Any]:
    return {"sam_config": _sam(raw), "encoder_config": dict(_QWEN)}
