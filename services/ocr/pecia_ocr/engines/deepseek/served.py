"""Models that another server runs: what to ask them, and with what. Each is a TOML file.

`served/` holds those that come with pecia; a setting may name a file of one's own. Another model is another
file:

    family = "deepseek-ocr"   # prompts and grammar of a model pecia knows, or:
    [prompts]                 # a text for each task the model can do
    sizes = ["gundam"]        # model sizes the server can be asked for
    pages_together = 8        # pages that it reads as one document; left out = one at a time
    max_tokens = 6000         # of one answer
    [request]                 # fields sent with every page
    [together]                # fields sent with several, in place of those of the same name
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
from pecia_core.errors import Unavailable
from pecia_core.vocabulary import ModelSize, TaskType

from pecia_ocr.engines.deepseek.profiles import IMAGE_MARK, PROFILES, Family, ModelProfile, TaskPrompt

_FOLDER = files("pecia_ocr.engines.deepseek") / "served"


@dataclass(frozen=True, slots=True)
class Served:
    """A model on another server. `request` = fields of OpenAI's chat API, or of the server's own.

    `together`: those for `pages_together` pages at once, or fewer.
    """

    name: str
    profile: ModelProfile
    max_tokens: int
    request: Mapping[str, object]
    pages_together: int
    together: Mapping[str, object]

    def prompt(self, task: TaskType) -> str:
        """What to ask; the picture is sent beside it."""
        return _said(self.profile.tasks[task])

    @property
    def prompt_together(self) -> str:
        """What to ask about several pages; only of a model that reads several."""
        return _said(self.profile.multi_page) if self.profile.multi_page else ""


def _said(prompt: TaskPrompt) -> str:
    return prompt.text.removeprefix(IMAGE_MARK).strip("\n")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    family: Family | None = None
    sizes: list[ModelSize] = []
    max_tokens: int = 4096
    prompts: dict[TaskType, str] = {}
    request: dict[str, object] = {}
    pages_together: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    together: dict[str, object] = {}


def names() -> list[str]:
    """The models that come with pecia."""
    return sorted(
        file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml")
    )


def find(name: str) -> Served:
    """The model of this name, or of this file.

    Raises:
        Unavailable: there is none, or its file is not as it should be; the message says which there are.
    """
    if name not in names() and not Path(name).is_file():
        raise Unavailable(
            f"There is no served model {name!r}. There is: {', '.join(names())}, or name a TOML file."
        )
    text = (
        Path(name).read_text("utf-8")
        if name not in names()
        else (_FOLDER / f"{name}.toml").read_text("utf-8")
    )
    try:
        said = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Unavailable(f"The served model {name!r} cannot be understood: {error}.") from error
    if said.family is None and not said.prompts:
        raise Unavailable(f"The served model {name!r} names neither a family nor prompts.")
    profile = _profile(said)
    if said.pages_together > 1 and profile.multi_page is None:
        raise Unavailable(f"The served model {name!r} is of a family that reads one page at a time.")
    both = {**said.request, **said.together}
    return Served(Path(name).stem, profile, said.max_tokens, said.request, said.pages_together, both)


def _profile(said: _File) -> ModelProfile:
    known = PROFILES[said.family or Family.V1]
    own = {task: TaskPrompt(text) for task, text in said.prompts.items()}
    tasks = {**known.tasks, **own} if said.family else own
    sizes = {size: rule for size, rule in known.sizes.items() if size in said.sizes}
    return replace(known, tasks=tasks, sizes=sizes)
