"""DeepSeek-OCR-2 as transformers saves it: the same scheduler, another eye and no newlines."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pecia_core.vocabulary import ModelSize
from pecia_ocr.engines.deepseek.loader import LoadedModel, load_model
from pecia_ocr.engines.deepseek.profiles import Family
from pecia_ocr.engines.deepseek.rehearsal import generated, normalised, page, said, shown
from pecia_ocr.engines.deepseek.scheduler import Scheduler
from pecia_ocr.engines.deepseek.testing import IMAGE_TOKEN_ID, tokenizer
from pecia_ocr.engines.deepseek.vision import VisionEncoder
from transformers import DeepseekOcr2Config, DeepseekOcr2ForConditionalGeneration

TEXT = {
    "bos_token_id": 0,
    "eos_token_id": 1,
    "vocab_size": 288,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "n_routed_experts": 8,
    "num_experts_per_tok": 3,
    "n_group": 1,
    "topk_group": 1,
    "moe_intermediate_size": 16,
    "mlp_layer_types": ["dense", "sparse", "sparse"],
    "max_position_embeddings": 2048,
}
SAM = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "output_channels": 16,
    "downsample_channels": [24, 32],
    "global_attn_indexes": [1],
}
ENCODER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A tiny one of chance weights, saved and loaded."""
    folder: Path = tmp_path_factory.mktemp("deepseek") / "second"
    config = DeepseekOcr2Config(
        text_config=TEXT,
        vision_config={"sam_config": SAM, "encoder_config": ENCODER},
        image_token_id=IMAGE_TOKEN_ID,
    )
    torch.manual_seed(0)
    model = DeepseekOcr2ForConditionalGeneration(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    model.save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    return load_model(folder, dtype=torch.float)


def test_it_is_known_by_its_config(second: LoadedModel) -> None:
    """And has its own profile."""
    assert second.profile.family is Family.V2


def test_features_are_those_of_the_native_class(second: LoadedModel) -> None:
    """Tile after tile, then the overview: 144 tokens each and 256."""
    views, plan = page(second.profile, ModelSize.GUNDAM, 3, (2, 1))
    with torch.inference_mode():
        (got,) = VisionEncoder(second).encode([(views, plan)])
        native = second.model.get_image_features(
            normalised(views.overview[None]), normalised(np.stack(views.tiles)), [2], return_dict=True
        )
    assert isinstance(got, torch.Tensor)
    assert len(got) == plan.image_tokens == 2 * 144 + 256 + 1
    assert torch.allclose(got, native.pooler_output[0], rtol=0, atol=1e-5)


def test_pages_together_say_what_each_says_alone(
    second: LoadedModel, start: Callable[..., Scheduler]
) -> None:
    """Token for token, beside each other."""
    endless = replace(second, profile=replace(second.profile, eos_token_id=-1))
    requests = [shown(second, ModelSize.GUNDAM, seed, max_new_tokens=6 + seed) for seed in range(2)]
    scheduler = start(endless, max_length=1024)
    tickets = [scheduler.submit(request) for request in requests]
    assert [said(ticket) for ticket in tickets] == [generated(second, request) for request in requests]
