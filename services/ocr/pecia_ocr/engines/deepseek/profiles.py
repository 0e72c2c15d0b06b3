"""What each known checkpoint is: its sizes, prompts, token ids and bounds. Plain data.

Facts from the model cards and the published inference code of deepseek-ai/DeepSeek-OCR,
deepseek-ai/DeepSeek-OCR-2 and baidu/Unlimited-OCR. A checkpoint may have other token ids or a shorter
context than the published ones: its config.json has the last word on those.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from pecia_core.errors import Unavailable
from pecia_core.vocabulary import ModelSize, TaskType

# What callers call it, whichever checkpoint answers.
MODEL = "deepseek-ocr"
MODELS = (MODEL, *(f"{MODEL}:{size}" for size in ModelSize))
# What they call the small checkpoint that comes along: nobody takes it for the model it is named after.
DEMO = "deepseek-ocr-demo"
IMAGE_MARK = "<image>"
REF_TEXT_MARK = "{ref_text}"


class Family(StrEnum):
    """Checkpoints that are shown the same picture and asked the same way."""

    V1 = "deepseek-ocr"
    V2 = "deepseek-ocr-2"
    UNLIMITED = "unlimited-ocr"


@dataclass(frozen=True, slots=True)
class SizeRule:
    """How a picture is made ready: one square of `global_px`, with `tile_px` also squares cut out of it.

    `stretch`: the square is filled without keeping the picture's aspect; otherwise it is padded.
    """

    global_px: int
    tile_px: int | None = None
    stretch: bool = False


@dataclass(frozen=True, slots=True)
class NGram:
    """No `size` tokens in a row twice within the last `window` tokens; `allowed` ids are never banned."""

    size: int
    window: int
    allowed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskPrompt:
    """What the model is asked, as it was trained, beginning with the picture's place.

    `text` may hold `REF_TEXT_MARK`. `size` and `ngram`: what this prompt needs instead of the profile's.
    """

    text: str
    size: ModelSize | None = None
    ngram: NGram | None = None


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """Everything about a checkpoint that is not in its weights.

    `max_context` counts tokens of prompt, picture and answer together. `newlines`: each row of picture
    tokens ends with one more. `grammar`: how boxes are written, see `grammar.Grammar`. `multi_page`:
    what to ask about several pages at once, where the model can do that.
    """

    family: Family
    sizes: Mapping[ModelSize, SizeRule]
    default_size: ModelSize
    max_tiles: int
    tasks: Mapping[TaskType, TaskPrompt]
    ngram: NGram
    max_context: int
    grammar: Literal["ref_det", "det"]
    image_token_id: int = 128_815
    bos_token_id: int = 0
    eos_token_id: int = 1
    newlines: bool = True
    multi_page: TaskPrompt | None = None

    @property
    def widest_ngram(self) -> NGram:
        """The longest and widest that is asked of it, about one page or several."""
        several = self.multi_page.ngram if self.multi_page and self.multi_page.ngram else self.ngram
        return NGram(max(self.ngram.size, several.size), max(self.ngram.window, several.window))


_CELLS = (128_821, 128_822)  # <td> and </td>: rows of empty cells are no loop
_FREE_OCR = TaskPrompt("<image>\nFree OCR.")
_MARKDOWN = TaskPrompt("<image>\n<|grounding|>Convert the document to markdown.")
_DOCUMENT = TaskPrompt("<image>document parsing.")  # no line break, unlike DeepSeek's own

_V1 = ModelProfile(
    family=Family.V1,
    sizes=MappingProxyType(
        {
            ModelSize.TINY: SizeRule(512, stretch=True),
            ModelSize.SMALL: SizeRule(640, stretch=True),
            ModelSize.BASE: SizeRule(1024),
            ModelSize.LARGE: SizeRule(1280),
            ModelSize.GUNDAM: SizeRule(1024, tile_px=640),
        }
    ),
    default_size=ModelSize.GUNDAM,
    max_tiles=9,
    tasks=MappingProxyType(
        {
            TaskType.FREE_OCR: _FREE_OCR,
            TaskType.MARKDOWN: _MARKDOWN,
            TaskType.PARSE_FIGURE: TaskPrompt("<image>\nParse the figure."),
            TaskType.LOCATE: TaskPrompt("<image>\nLocate <|ref|>{ref_text}<|/ref|> in the image."),
            TaskType.LINES: TaskPrompt("<image>\n<|grounding|>OCR this image."),
            TaskType.DESCRIBE: TaskPrompt("<image>\nDescribe this image in detail."),
        }
    ),
    ngram=NGram(30, 90, _CELLS),
    max_context=8192,
    grammar="ref_det",
)

_V2 = ModelProfile(
    family=Family.V2,
    sizes=MappingProxyType({ModelSize.GUNDAM: SizeRule(1024, tile_px=768)}),
    default_size=ModelSize.GUNDAM,
    max_tiles=6,
    tasks=MappingProxyType({TaskType.FREE_OCR: _FREE_OCR, TaskType.MARKDOWN: _MARKDOWN}),
    ngram=NGram(20, 90, _CELLS),
    max_context=8192,
    grammar="ref_det",
    newlines=False,
)

_UNLIMITED = ModelProfile(
    family=Family.UNLIMITED,
    sizes=MappingProxyType(
        {ModelSize.BASE: SizeRule(1024), ModelSize.GUNDAM: SizeRule(1024, tile_px=640)},
    ),
    default_size=ModelSize.GUNDAM,
    max_tiles=32,
    tasks=MappingProxyType({TaskType.FREE_OCR: _DOCUMENT, TaskType.MARKDOWN: _DOCUMENT}),
    ngram=NGram(35, 128),
    max_context=32_768,
    grammar="det",
    multi_page=TaskPrompt("<image>Multi page parsing.", ModelSize.BASE, NGram(35, 1024)),
)

PROFILES: Mapping[Family, ModelProfile] = MappingProxyType(
    {profile.family: profile for profile in (_V1, _V2, _UNLIMITED)}
)

# Class names of the published code, and of transformers where it has its own.
_BY_ARCHITECTURE = MappingProxyType(
    {
        "DeepseekOCRForCausalLM": Family.V1,
        "DeepseekOCR2ForCausalLM": Family.V2,
        "DeepseekOcr2ForConditionalGeneration": Family.V2,
        "UnlimitedOCRForCausalLM": Family.UNLIMITED,
        "UnlimitedOcrForConditionalGeneration": Family.UNLIMITED,
    }
)
# Asked only where no architecture is named. "deepseek_vl_v2" is missing: three models call themselves that.
_BY_TYPE = MappingProxyType(
    {
        "DeepseekOCR": Family.V1,
        "deepseek_ocr": Family.V1,
        "deepseek_ocr2": Family.V2,
        "unlimited-ocr": Family.UNLIMITED,
        "unlimited_ocr": Family.UNLIMITED,
    }
)


def detect(config: Mapping[str, object]) -> ModelProfile:
    """The profile of a checkpoint.

    Args:
        config: its config.json. Token ids, the context's length and the vocabulary's are taken from there.

    Raises:
        Unavailable: no known model, or one that contradicts itself; the message lists what is known.
    """
    profile = PROFILES[_family(config)]
    vocabulary = _number(config, "vocab_size", max(profile.image_token_id, *_CELLS) + 1)
    allowed = tuple(token for token in profile.ngram.allowed if token < vocabulary)
    return replace(
        profile,
        image_token_id=_number(config, "image_token_id", profile.image_token_id),
        bos_token_id=_number(config, "bos_token_id", profile.bos_token_id),
        eos_token_id=_number(config, "eos_token_id", profile.eos_token_id),
        max_context=_number(config, "max_position_embeddings", profile.max_context),
        ngram=replace(profile.ngram, allowed=allowed),
    )


def demonstrated(profile: ModelProfile) -> ModelProfile:
    """The profile of a small checkpoint that was taught one size and one task only."""
    return replace(
        profile,
        sizes={ModelSize.TINY: profile.sizes[ModelSize.TINY]},
        default_size=ModelSize.TINY,
        tasks={TaskType.FREE_OCR: profile.tasks[TaskType.FREE_OCR]},
    )


def _family(config: Mapping[str, object]) -> Family:
    named = config.get("architectures")
    names = [str(name) for name in named] if isinstance(named, list) else []
    model_type = str(config.get("model_type", ""))
    families = {_BY_ARCHITECTURE.get(name) for name in names} or {_BY_TYPE.get(model_type)}
    family = families.pop() if len(families) == 1 else None
    if family is None:
        raise Unavailable(
            f"This checkpoint is no model the deepseek engine knows: architectures {names}, model_type "
            f"{model_type!r}. Known are {', '.join(Family)}, by the architectures "
            f"{', '.join(_BY_ARCHITECTURE)}. Point the engine at one of these."
        )
    if family is Family.V1 and _found(config, ("sliding_window_size", "sliding_window")):
        raise Unavailable(
            f"This checkpoint calls itself {Family.V1} but has a sliding window, which only "
            f"{Family.UNLIMITED} has. Correct `architectures` in its config.json."
        )
    return family


def _number(config: Mapping[str, object], key: str, default: int) -> int:
    number = _found(config, (key,))
    return number if isinstance(number, int) and not isinstance(number, bool) else default


def _found(config: Mapping[str, object], keys: tuple[str, ...]) -> object:
    """The first of `keys` that is set: the language model's own word counts before the whole model's."""
    for part in (config.get("language_config"), config.get("text_config"), config):
        if isinstance(part, Mapping):
            for key in keys:
                if part.get(key) is not None:
                    return part[key]
    return None
