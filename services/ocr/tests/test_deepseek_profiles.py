"""Which checkpoint is which, and what is known about each."""

from typing import Any

import pytest
from pecia_core.errors import Unavailable
from pecia_core.vocabulary import ModelSize, TaskType
from pecia_ocr.engines.deepseek.profiles import PROFILES, Family, NGram, SizeRule, detect

# What DeepSeek-OCR's published config.json says, as far as it tells checkpoints apart.
V1: dict[str, Any] = {
    "architectures": ["DeepseekOCRForCausalLM"],
    "model_type": "DeepseekOCR",
    "bos_token_id": 0,
    "eos_token_id": 1,
    "max_position_embeddings": 8192,
    "vocab_size": 129_280,
    "language_config": {
        "architectures": ["DeepseekV2ForCausalLM"],
        "bos_token_id": 0,
        "eos_token_id": 1,
        "max_position_embeddings": 8192,
        "vocab_size": 129_280,
    },
}
V2 = V1 | {"architectures": ["DeepseekOCR2ForCausalLM"], "model_type": "deepseek_vl_v2"}
# Its language part calls itself DeepseekOCRForCausalLM: only the outermost name counts.
UNLIMITED = V1 | {
    "architectures": ["UnlimitedOCRForCausalLM"],
    "model_type": "unlimited-ocr",
    "sliding_window_size": 128,
    "language_config": V1["language_config"]
    | {"architectures": ["DeepseekOCRForCausalLM"], "max_position_embeddings": 32_768},
}


def test_the_first_model_has_five_sizes_and_six_tasks() -> None:
    """DeepSeek-OCR: the sizes' pixels, nine tiles, all tasks, the published ids and bounds."""
    profile = detect(V1)
    assert profile.family is Family.V1
    assert profile.sizes == {
        ModelSize.TINY: SizeRule(512, None, stretch=True),
        ModelSize.SMALL: SizeRule(640, None, stretch=True),
        ModelSize.BASE: SizeRule(1024, None, stretch=False),
        ModelSize.LARGE: SizeRule(1280, None, stretch=False),
        ModelSize.GUNDAM: SizeRule(1024, 640, stretch=False),
    }
    assert (profile.default_size, profile.max_tiles) == (ModelSize.GUNDAM, 9)
    assert set(profile.tasks) == set(TaskType)
    assert (profile.image_token_id, profile.bos_token_id, profile.eos_token_id) == (128_815, 0, 1)
    assert profile.ngram == NGram(30, 90, (128_821, 128_822))
    assert (profile.max_context, profile.grammar, profile.multi_page) == (8192, "ref_det", None)


def test_the_second_model_knows_two_tasks_and_writes_no_newlines() -> None:
    """DeepSeek-OCR-2: one size with tiles of 768, two prompts, another guard against loops."""
    profile = detect(V2)
    assert profile.family is Family.V2
    assert profile.sizes == {ModelSize.GUNDAM: SizeRule(1024, 768)}
    assert set(profile.tasks) == {TaskType.FREE_OCR, TaskType.MARKDOWN}
    assert (profile.max_tiles, profile.newlines) == (6, False)
    assert profile.ngram == NGram(20, 90, (128_821, 128_822))


def test_unlimited_reads_several_pages_at_once() -> None:
    """Unlimited-OCR: its own prompts and grammar, a long context, and the prompt for many pages."""
    profile = detect(UNLIMITED)
    assert profile.family is Family.UNLIMITED
    assert (profile.max_context, profile.max_tiles, profile.grammar) == (32_768, 32, "det")
    assert {prompt.text for prompt in profile.tasks.values()} == {"<image>document parsing."}
    assert profile.ngram == NGram(35, 128)
    assert profile.multi_page is not None
    assert profile.multi_page.text == "<image>Multi page parsing."
    assert profile.multi_page.size is ModelSize.BASE
    assert profile.multi_page.ngram == NGram(35, 1024)


def test_every_profile_is_whole() -> None:
    """Each family has a profile of its own name, a default size it has, and the picture first in prompts."""
    assert set(PROFILES) == set(Family)
    for family, profile in PROFILES.items():
        assert profile.family is family
        assert profile.default_size in profile.sizes
        prompts = [*profile.tasks.values(), *([profile.multi_page] if profile.multi_page else [])]
        assert prompts
        for prompt in prompts:
            assert prompt.text.startswith("<image>")
            assert prompt.text == prompt.text.strip()
            assert prompt.text.count("<image>") == 1
            assert prompt.size is None or prompt.size in profile.sizes


def test_a_checkpoint_may_have_ids_and_a_context_of_its_own() -> None:
    """A small vocabulary moves the special ids; ids that it does not have are not excepted from the guard."""
    own = {"bos_token_id": 3, "eos_token_id": 4, "max_position_embeddings": 512, "vocab_size": 600}
    profile = detect(V1 | {"image_token_id": 500, "language_config": own})
    assert (profile.image_token_id, profile.bos_token_id, profile.eos_token_id) == (500, 3, 4)
    assert profile.max_context == 512
    assert profile.ngram == NGram(30, 90, ())


def test_the_published_class_and_transformers_own_are_the_same_model() -> None:
    """Checkpoints saved by transformers under its own class names are known, too."""
    for name, family in [
        ("DeepseekOcr2ForConditionalGeneration", Family.V2),
        ("UnlimitedOcrForConditionalGeneration", Family.UNLIMITED),
    ]:
        assert detect({"architectures": [name]}).family is family


@pytest.mark.parametrize(
    ("model_type", "family"),
    [("DeepseekOCR", Family.V1), ("deepseek_ocr2", Family.V2), ("unlimited-ocr", Family.UNLIMITED)],
)
def test_the_model_type_decides_where_no_architecture_is_named(model_type: str, family: Family) -> None:
    """A config.json without architectures is known by its type."""
    assert detect({"model_type": model_type}).family is family


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "deepseek_vl_v2"},
        {"architectures": ["DeepseekVLV2ForCausalLM"], "model_type": "DeepseekOCR"},
        {"architectures": ["DeepseekOCRForCausalLM", "UnlimitedOCRForCausalLM"]},
        {"architectures": "DeepseekOCRForCausalLM"},
        {"architectures": [["DeepseekOCRForCausalLM"]]},
    ],
)
def test_an_unknown_checkpoint_is_refused_with_what_is_known(config: dict[str, Any]) -> None:
    """The refusal names every known family and its architectures, so that its reader can choose."""
    with pytest.raises(Unavailable) as refused:
        detect(config)
    for name in (*Family, "DeepseekOCRForCausalLM", "UnlimitedOCRForCausalLM"):
        assert name in refused.value.message


@pytest.mark.parametrize("where", ["language_config", None])
def test_the_first_model_with_a_sliding_window_is_refused(where: str | None) -> None:
    """It would forget its prompt: a checkpoint that contradicts itself is not guessed at."""
    window = {"sliding_window_size": 128}
    config = V1 | ({where: V1[where] | window} if where else window)
    with pytest.raises(Unavailable, match="sliding window"):
        detect(config)
    assert detect(V1 | {"sliding_window": None}).family is Family.V1
