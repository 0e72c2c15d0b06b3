"""A folder with a checkpoint becomes a model that is complete, and a tokenizer that is the right one."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pecia_core.errors import Unavailable
from pecia_models.checking import check
from tokenizers import Tokenizer
from transformers.utils import logging as transformers_logging
from transformers.utils.import_utils import is_flash_attn_2_available

from pecia_ocr.engines.deepseek import checkpoint
from pecia_ocr.engines.deepseek.profiles import IMAGE_MARK, ModelProfile, detect
from pecia_ocr.engines.deepseek.translation import model_class, native

log = logging.getLogger(__name__)

_WITHOUT_KERNELS = "sdpa"
_FLASH = "flash_attention_2"
# How much of the way each step is.
_VERIFIED, _READ, _MOVED = 0.3, 0.8, 0.95
# Spaces, accents, ideographs and a line break: what wrongly loaded tokenizers lose first.
_SPECIMEN = "hello  world, Größe 100 %\n数字 ✓"
_FEW = 5


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to read.

    `model` is of `translation.model_class`, whose parts have no types. `revision` names exactly these files.
    `prompt_attention`: how the language model attends while it is given a prompt; the steps after that, and
    the vision encoder, always use SDPA.
    """

    model: Any
    tokenizer: Tokenizer
    profile: ModelProfile
    revision: str
    prompt_attention: str = _WITHOUT_KERNELS

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        weight: torch.Tensor = next(self.model.parameters())
        return weight.device

    def encode(self, text: str) -> list[int]:
        """The ids of a text, none added."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        """The text of ids, special ones included: boxes and tables are made of them."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=False))


def load_model(
    path: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.bfloat16,
    progress: Callable[[float], None] | None = None,
    public_key: str = "",
) -> LoadedModel:
    """Load a model from its folder; nothing is fetched, and no code in the folder is run.

    Args:
        path: with config.json, tokenizer.json and *.safetensors; `sha256sums` is checked where present.
        device: where it shall be.
        dtype: of its weights there.
        progress: told 0.0 to 1.0.
        public_key: PEM of whoever may sign models; "" = they need no signature.

    Raises:
        Unavailable: files are missing or not what they should be; the message names them.
    """
    told = progress or (lambda _: None)
    told(0.0)
    # Before a byte of it is understood: parsers are walls as thin as others.
    trust = check(path, lambda part: told(part * _VERIFIED), public_key)
    log.info("Model files checked", extra={"trust": trust})
    told(_VERIFIED)
    raw = _config(path)
    profile = detect(raw)
    tokenizer = _tokenizer(path, profile)
    model = _model(path, raw, profile, dtype)
    told(_READ)
    model = model.to(device).eval()
    told(_MOVED)
    fast = (
        model.device.type == "cuda" and dtype.itemsize == torch.half.itemsize and is_flash_attn_2_available()
    )
    loaded = LoadedModel(
        model, tokenizer, profile, checkpoint.revision(path), _FLASH if fast else _WITHOUT_KERNELS
    )
    told(1.0)
    return loaded


def _config(path: Path) -> Mapping[str, Any]:
    try:
        raw: Mapping[str, Any] = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unavailable(f"No model can be loaded from its folder: config.json: {error}.") from error
    return raw


def _tokenizer(path: Path, profile: ModelProfile) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    except Exception as error:  # the library raises nothing more precise
        raise Unavailable(f"tokenizer.json cannot be read: {error}. Fetch the model again.") from error
    ids = tokenizer.encode(_SPECIMEN, add_special_tokens=False).ids
    if (back := tokenizer.decode(ids, skip_special_tokens=False)) != _SPECIMEN:
        raise Unavailable(
            f"tokenizer.json makes {back!r} of {_SPECIMEN!r}: it is not this model's, or this version of "
            "`tokenizers` reads it wrongly."
        )
    if (mark := tokenizer.token_to_id(IMAGE_MARK)) != profile.image_token_id:
        raise Unavailable(
            f"tokenizer.json gives {IMAGE_MARK} the id {mark}; this model was trained with "
            f"{profile.image_token_id}. Fetch both from the same place."
        )
    return tokenizer


def _model(path: Path, raw: Mapping[str, Any], profile: ModelProfile, dtype: torch.dtype) -> Any:  # noqa: ANN401 - see LoadedModel
    _has_all_experts(path, raw)
    cls: Any = model_class(profile)
    with _quietly():
        model, info = cls.from_pretrained(
            path,
            config=native(raw, profile),
            dtype=dtype,
            attn_implementation=_WITHOUT_KERNELS,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            # Sizes that differ are refused below, by name.
            ignore_mismatched_sizes=True,
        )
    wrong = {
        "missing": sorted(info["missing_keys"]),
        "unexpected": sorted(info["unexpected_keys"]),
        "of another size": sorted(str(key[0]) for key in info["mismatched_keys"]),
        "unreadable": sorted(info["error_msgs"]),
    }
    if any(wrong.values()):
        said = "; ".join(f"{what}: {_some(names)}" for what, names in wrong.items() if names)
        raise Unavailable(f"The weights are not those of this model. Tensors {said}. Fetch the model again.")
    return model


def _has_all_experts(path: Path, raw: Mapping[str, Any]) -> None:
    """Experts are stacked while they are read, which fails without a name if one is absent."""
    names = checkpoint.tensor_names(path)
    language = raw.get("language_config") or raw.get("text_config") or {}
    count = language.get("n_routed_experts", 0)
    stacks = {name.split(".experts.")[0]: name for name in names if ".experts." in name}
    parts = [f"{part}_proj.weight" for part in ("gate", "up", "down")]
    one_by_one = [stack for stack, name in stacks.items() if name.endswith(tuple(parts))]
    expected = {f"{stack}.experts.{i}.{part}" for stack in one_by_one for i in range(count) for part in parts}
    if absent := sorted(expected - names):
        raise Unavailable(f"The weights lack tensors: {_some(absent)}. Fetch the model again.")


def _some(names: list[str]) -> str:
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the library's bars and tables on standard error: what is wrong is raised."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
