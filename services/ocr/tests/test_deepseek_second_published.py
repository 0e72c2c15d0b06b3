"""DeepSeek-OCR-2 as its makers publish it: their names of tensors, an expert at a time, their config.json."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pecia_core.errors import Unavailable
from pecia_ocr.engines.deepseek import translation
from pecia_ocr.engines.deepseek.loader import load_model
from pecia_ocr.engines.deepseek.profiles import Family, detect
from pecia_ocr.engines.deepseek.testing import IMAGE_TOKEN_ID, tokenizer
from pecia_ocr.engines.deepseek.translation import native
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import DeepseekOcr2ForConditionalGeneration

# Of the second encoder the published config.json says nothing: at full size it is Qwen2-0.5B.
ENCODER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_theta": 1_000_000.0,
}
LANGUAGE = {
    "architectures": ["DeepseekV2ForCausalLM"],
    "auto_map": {"AutoModel": "modeling_deepseekv2.DeepseekV2Model"},
    "bos_token_id": 0,
    "eos_token_id": 1,
    "first_k_dense_replace": 1,
    "hidden_size": 48,
    "intermediate_size": 96,
    "max_position_embeddings": 2048,
    "moe_intermediate_size": 16,
    "n_group": 1,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "num_attention_heads": 4,
    "num_experts_per_tok": 3,
    "num_hidden_layers": 3,
    "num_key_value_heads": 4,
    "topk_group": 1,
    "topk_method": "greedy",
    "torch_dtype": "bfloat16",
    "use_mla": False,
    "vocab_size": 288,
}
SAM = {"width": 24, "layers": 2, "heads": 2, "global_attn_indexes": [1], "downsample_channels": [24, 32]}
CONFIG = {
    "architectures": ["DeepseekOCR2ForCausalLM"],
    "auto_map": {"AutoModel": "modeling_deepseekocr2.DeepseekOCR2ForCausalLM"},
    "image_token_id": IMAGE_TOKEN_ID,
    "language_config": LANGUAGE,
    "model_type": "deepseek_vl_v2",
    "projector_config": {"input_dim": 32, "model_type": "mlp_projector", "n_embed": 48},
    "torch_dtype": "bfloat16",
    "vision_config": {
        "image_size": 1024,
        "width": {"qwen2-0-5b": {"dim": 32}, "sam_vit_b": {**SAM, "out_channels": 16}},
    },
}
# What transformers calls it -> what the makers do.
_NAMES = (
    (r"^model\.language_model\.", "model."),
    (r"^model\.multi_modal_projector\.", "model.projector.layers."),
    (r"^model\.view_separator$", "model.view_seperator"),
    (r"vision_tower\.query_(\d+)_resolution\.", r"qwen2_model.query_\1."),
    (r"vision_tower\.vision_encoder\.", "qwen2_model.model.model."),
    (r"vision_tower\.sam_encoder\.layers\.(\d+)\.layer_norm", r"sam_model.blocks.\1.norm"),
    (r"vision_tower\.sam_encoder\.layers\.", "sam_model.blocks."),
    (r"vision_tower\.sam_encoder\.patch_embed\.projection\.", "sam_model.patch_embed.proj."),
    (r"vision_tower\.sam_encoder\.neck\.conv1\.", "sam_model.neck.0."),
    (r"vision_tower\.sam_encoder\.neck\.layer_norm1\.", "sam_model.neck.1."),
    (r"vision_tower\.sam_encoder\.neck\.conv2\.", "sam_model.neck.2."),
    (r"vision_tower\.sam_encoder\.neck\.layer_norm2\.", "sam_model.neck.3."),
    (r"vision_tower\.sam_encoder\.proj\.conv1\.", "sam_model.net_2."),
    (r"vision_tower\.sam_encoder\.proj\.conv2\.", "sam_model.net_3."),
    (r"vision_tower\.sam_encoder\.", "sam_model."),
)


def _published(tensors: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """The same tensors by their makers' names; experts lie in two stacks here, one by one there."""
    for name, tensor in tensors.items():
        theirs = name
        for pattern, replacement in _NAMES:
            theirs = re.sub(pattern, replacement, theirs)
        stack = theirs.partition(".experts.")[0] + ".experts"
        if theirs.endswith(".experts.gate_up_proj"):
            for number, both in enumerate(tensor):
                gate, up = both.chunk(2)
                yield f"{stack}.{number}.gate_proj.weight", gate.clone()
                yield f"{stack}.{number}.up_proj.weight", up.clone()
        elif theirs.endswith(".experts.down_proj"):
            for number, down in enumerate(tensor):
                yield f"{stack}.{number}.down_proj.weight", down.clone()
        else:
            yield theirs, tensor.clone()


Tensors = dict[str, torch.Tensor]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Tensors]:
    """A tiny one of chance weights in the published form, and its tensors as transformers has them."""
    monkeypatch.setattr(translation, "_QWEN", ENCODER)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    tokenizer().save(str(tmp_path / "tokenizer.json"))
    torch.manual_seed(0)
    model = DeepseekOcr2ForConditionalGeneration(native(CONFIG, detect(CONFIG)))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    tensors = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    save_file(dict(_published(tensors)), tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path, tensors


def test_the_published_names_load_with_nothing_missing(published: tuple[Path, Tensors]) -> None:
    """Every tensor is where it belongs, equal bit for bit, both sets of queries and each expert too."""
    folder, tensors = published
    loaded = load_model(folder, dtype=torch.float)
    assert loaded.profile.family is Family.V2
    found = dict(loaded.model.named_parameters())
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_its_names_are_the_published_ones(published: tuple[Path, Tensors]) -> None:
    """Some of each part, as they stand in the makers' index."""
    with safe_open(published[0] / "model.safetensors", framework="numpy") as file:
        names = set(file.keys())
    assert names >= {
        "lm_head.weight",
        "model.embed_tokens.weight",
        "model.layers.0.mlp.gate_proj.weight",
        "model.layers.1.mlp.experts.7.down_proj.weight",
        "model.layers.2.mlp.shared_experts.up_proj.weight",
        "model.projector.layers.weight",
        "model.qwen2_model.model.model.layers.1.self_attn.q_proj.bias",
        "model.qwen2_model.model.model.norm.weight",
        "model.qwen2_model.query_768.weight",
        "model.qwen2_model.query_1024.weight",
        "model.sam_model.blocks.1.norm2.bias",
        "model.sam_model.neck.3.weight",
        "model.sam_model.net_3.weight",
        "model.view_seperator",
    }


@pytest.mark.parametrize(
    "part", ["query_768", "experts.3.up_proj", "layers.1.self_attn.q_proj.bias", "net_2"]
)
def test_a_tensor_that_is_missing_is_named(published: tuple[Path, Tensors], part: str) -> None:
    """No part of it is left to chance."""
    folder, _ = published
    path = folder / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(path).items() if part not in name}
    save_file(kept, path, metadata={"format": "pt"})
    with pytest.raises(Unavailable, match=r"missing|lack"):
        load_model(folder, dtype=torch.float)


def test_without_tiny_numbers_it_is_qwen2() -> None:
    """The published encoder at its own size, which no config.json says; another network is refused."""
    encoder = native(CONFIG, detect(CONFIG)).vision_config.encoder_config
    assert (encoder.hidden_size, encoder.num_hidden_layers, encoder.num_key_value_heads) == (896, 24, 2)
    with pytest.raises(Unavailable, match="moe_layer_freq"):
        native({**CONFIG, "language_config": {**LANGUAGE, "moe_layer_freq": 2}}, detect(CONFIG))
