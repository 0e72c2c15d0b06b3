"""A checkpoint of chance numbers, made on the device that will compute with it.

It goes to disk once, 6.7 GB at full size, because load time is the time from files, and because the service
loads files. The end of an answer has an id that no token has, so that every answer is as long as asked.
"""

import json
import math
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase

import torch
from pecia_ocr.engines.deepseek import testing
from pecia_ocr.engines.deepseek.testing import Dimensions
from safetensors.torch import save_file
from tokenizers import Tokenizer

_TENSORS_A_FILE = 400  # at full size, a gigabyte


def write(folder: Path, size: Dimensions, device: str) -> Path:
    """Make the checkpoint in `folder`; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = testing.config(size)
    raw["language_config"]["eos_token_id"] = size.vocabulary
    (folder / "config.json").write_text(json.dumps(raw))
    words(size.vocabulary).save(str(folder / "tokenizer.json"))
    chance = torch.Generator(device).manual_seed(0)
    places: dict[str, str] = {}
    shapes = testing.shapes(size)
    for number, first in enumerate(range(0, len(shapes), _TENSORS_A_FILE)):
        names = list(islice(shapes, first, first + _TENSORS_A_FILE))
        tensors = {name: _weight(name, shapes[name], chance).cpu() for name in names}
        file = f"model-{number:05}.safetensors"
        save_file(tensors, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(names, file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def _weight(name: str, shape: tuple[int, ...], chance: torch.Generator) -> torch.Tensor:
    """Small enough that nothing grows from layer to layer; around 1 for the factors of a norm."""
    factor = "norm" in name or ".neck.1." in name or ".neck.3." in name
    spread = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.1
    values = torch.randn(shape, generator=chance, device=chance.device) * spread
    return (values + (factor and name.endswith("weight"))).to(torch.bfloat16)


def words(vocabulary: int) -> Tokenizer:
    """The small tokenizer of the tests; ids that it has no use for are words of four letters or so."""
    small = testing.tokenizer()
    made = json.loads(small.to_str())
    invented = ("".join(letters) for length in (3, 4) for letters in product(ascii_lowercase, repeat=length))
    ids = range(small.get_vocab_size(), vocabulary)
    made["model"]["vocab"] |= {f"\u0120{word}": index for index, word in zip(ids, invented, strict=False)}
    return Tokenizer.from_str(json.dumps(made))
