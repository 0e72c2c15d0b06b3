"""Which files become a model, and which are refused by name."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pecia_core.errors import Unavailable
from pecia_models.listing import MANIFEST
from pecia_models.signature import sign
from pecia_ocr.engines.deepseek import testing
from pecia_ocr.engines.deepseek.checkpoint import revision
from pecia_ocr.engines.deepseek.loader import LoadedModel, load_model
from pecia_ocr.engines.deepseek.profiles import Family, detect
from pecia_ocr.engines.deepseek.translation import model_class, native
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))


def with_tensors(folder: Path, change: Callable[[Tensors], object]) -> None:
    """Write the weights again, changed."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def with_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Write config.json again, changed."""
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def with_manifest(folder: Path) -> None:
    """List every file as `sha256sum` does."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())
    ]
    (folder / MANIFEST).write_text("".join(lines))


def refused(folder: Path) -> str:
    """Why it is not loaded."""
    with pytest.raises(Unavailable) as caught:
        load_model(folder, dtype=torch.float)
    return caught.value.message


def test_the_published_names_load_with_nothing_missing(tiny_checkpoint: Path) -> None:
    """In bfloat16, as published; the bar goes from 0 to 1."""
    told: list[float] = []
    loaded = load_model(tiny_checkpoint, progress=told.append)
    assert loaded.profile.family is Family.V1
    assert loaded.model.dtype is torch.bfloat16
    assert not loaded.model.training
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_every_published_weight_is_in_the_model(tiny_model: LoadedModel) -> None:
    """Number for number but for the one that the published code never uses; nothing is left as it began."""
    published = testing.weights(testing.Dimensions())
    unused = published.pop("model.vision_model.embeddings.patch_embedding.weight")
    ours = torch.cat([tensor.flatten() for tensor in tiny_model.model.parameters()]).sort().values
    theirs = torch.cat([tensor.flatten().float() for tensor in published.values()]).sort().values
    assert torch.equal(ours, theirs)
    assert unused.numel() > 0


def test_the_checkpoint_is_small_and_always_the_same(tiny_checkpoint: Path, folder: Path) -> None:
    """Less than a megabyte; the revision of a copy is the same, that of another seed is not."""
    assert sum(path.stat().st_size for path in tiny_checkpoint.iterdir()) < 1_000_000
    assert revision(folder) == revision(tiny_checkpoint)
    testing.write(folder, seed=1)
    assert revision(folder) != revision(tiny_checkpoint)


def test_every_layer_of_v1_sees_everything(tiny_model: LoadedModel) -> None:
    """The class's own default would be a window of 128 tokens."""
    assert tiny_model.model.config.text_config.layer_types == ["full_attention"] * 3


def test_only_sdpa_on_a_cpu(tiny_model: LoadedModel) -> None:
    """In the language model and in both parts of the vision encoder."""
    config = tiny_model.model.config
    parts = [config.text_config, config.vision_config.sam_config, config.vision_config.encoder_config]
    assert [part._attn_implementation for part in parts] == ["sdpa"] * 3
    assert tiny_model.prompt_attention == "sdpa"


@pytest.mark.parametrize(
    "name",
    [
        "lm_head.weight",
        "model.view_seperator",
        "model.vision_model.pre_layrnorm.bias",
        "model.layers.1.mlp.experts.3.up_proj.weight",
        "model.sam_model.blocks.1.attn.rel_pos_h",
    ],
)
def test_a_missing_tensor_is_refused_by_name(folder: Path, name: str) -> None:
    """Never filled with chance; experts, which are stacked when read, included."""
    with_tensors(folder, lambda tensors: tensors.pop(name))
    last = name.replace("seperator", "separator").split(".")[-1]
    assert "missing" in (message := refused(folder)) or "lack" in message
    assert last in message


def test_a_tensor_too_many_is_refused_by_name(folder: Path) -> None:
    """A layer more than config.json says is another model."""
    extra = "model.layers.3.input_layernorm.weight"
    with_tensors(folder, lambda tensors: tensors.update({extra: torch.zeros(48)}))
    assert "unexpected: model.language_model.layers.3.input_layernorm.weight" in refused(folder)


def test_a_tensor_of_another_size_is_refused_by_name(folder: Path) -> None:
    """Not cut or filled up."""
    with_tensors(folder, lambda tensors: tensors.update({"model.norm.weight": torch.zeros(47)}))
    assert "of another size: model.language_model.norm.weight" in refused(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_an_absent_or_damaged_file_is_refused_by_name(folder: Path, name: str) -> None:
    """With what to do about it, where it is known."""
    (folder / name).write_bytes(b"{")
    assert name in refused(folder)
    (folder / name).unlink()
    assert name.rpartition(".")[2] in refused(folder)


def test_a_tokenizer_that_loses_spaces_is_refused(folder: Path) -> None:
    """As wrongly converted ones do."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["decoder"] = {"type": "WordPiece", "prefix": "", "cleanup": True}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "makes" in refused(folder)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    """The picture's placeholder has to be the one the weights know."""
    with_config(folder, lambda config: config["language_config"].update(image_token_id=7))
    assert "gives <image> the id 259" in refused(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [("norm_topk_prob", True), ("scoring_func", "sigmoid"), ("use_mla", True), ("moe_layer_freq", 2)],
)
def test_a_network_that_is_not_this_class_is_refused(folder: Path, name: str, value: object) -> None:
    """It would load and read nonsense."""
    with_config(folder, lambda config: config["language_config"].update({name: value}))
    assert f"{name} = {value!r}" in refused(folder)


def test_what_only_the_whole_model_says_reaches_the_language_model(folder: Path) -> None:
    """Published configs have the base of the rotation there, not beside the layers."""
    with_config(folder, lambda config: config.update(rope_theta=20_000.0, rms_norm_eps=1e-5))
    text = load_model(folder, dtype=torch.float).model.config.text_config
    assert (text.rope_parameters["rope_theta"], text.rms_norm_eps) == (20_000.0, 1e-5)


def test_files_that_match_their_manifest_load(folder: Path) -> None:
    """And the manifest names the revision."""
    with_manifest(folder)
    loaded = load_model(folder, dtype=torch.float)
    assert loaded.revision == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:12]


def test_files_that_do_not_match_their_manifest_are_refused(folder: Path) -> None:
    """One bit is enough; so is weights that it does not list, a file that is gone, or a path outside."""
    with_manifest(folder)
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert "model.safetensors is not the file" in refused(folder)
    shutil.copy(weights, folder / "more.safetensors")
    assert "does not list more.safetensors" in refused(folder)
    (folder / "more.safetensors").unlink()
    weights.unlink()
    assert "model.safetensors of sha256sums are missing" in refused(folder)
    (folder / MANIFEST).write_text("00  ../../etc/passwd\n")
    assert "names no file of the model" in refused(folder)


def test_a_pinned_key_is_asked_for_before_anything_is_read(folder: Path) -> None:
    """A signed checkpoint loads; one byte of its config or tokenizer, which parse as before, is refused."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    sign(folder, key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    assert load_model(folder, dtype=torch.float, public_key=public).profile.family is Family.V1
    for name in ("config.json", "tokenizer.json"):
        text = (folder / name).read_text()
        (folder / name).write_text(text + " ")
        with pytest.raises(Unavailable, match=f"{name} is not the file that model.sig lists"):
            load_model(folder, dtype=torch.float, public_key=public)
        (folder / name).write_text(text)


def test_text_survives_the_tokenizer(tiny_model: LoadedModel) -> None:
    """Special tokens too: boxes and tables are made of them."""
    text = "a <|ref|>título<|/ref|>\n<td>数</td>"
    ids = tiny_model.encode(text)
    assert tiny_model.decode(ids) == text
    assert ids.count(tiny_model.encode("<td>")[0]) == 1


def test_at_its_published_size_it_is_the_published_model() -> None:
    """As many tensors and numbers as the published index lists; nothing is allocated for it."""
    published, raw = testing.shapes(testing.PUBLISHED), testing.config(testing.PUBLISHED)
    unused = math.prod(published["model.vision_model.embeddings.patch_embedding.weight"])
    profile = detect(raw)
    with torch.device("meta"):
        model = model_class(profile)(native(raw, profile))
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert numbers == sum(map(math.prod, published.values())) - unused == 3_335_504_128
    # The index counts the encoder's position_ids, too, which is no weight.
    assert len(published) + 1 == 2711
