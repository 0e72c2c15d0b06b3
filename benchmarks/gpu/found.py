"""What was measured, in a form that goes to a file and back."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(slots=True)
class Place:
    """Where it was measured.

    `gb_per_second`: peak of the device's memory; `measured`: nobody publishes it.
    """

    device: str
    on_gpu: bool
    gb_per_second: float
    measured: bool
    load: float
    versions: str


@dataclass(slots=True)
class Decode:
    """Steps of one kind. `tokens_s`: all rows together, a number a round; empty: `note` says why."""

    batch: int
    graphs: bool
    experts: str
    context: float
    tokens_s: list[float] = field(default_factory=list)
    note: str = ""


@dataclass(slots=True)
class Model:
    """The model alone, in one process; a number a round.

    `load_s`: from files to a model; `ready_s`: to an engine with slots and captured steps. `vision_ms` and
    `prefill_ms` by size, one page; `prompt_tokens` by size. `rival_s`: `generate`, a page. `cancel_steps`:
    steps passed on between a cancel and the freed slot. `peak_gb`: of the engine at its defaults; absent
    without a GPU.
    """

    load_s: list[float] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    vision_ms: dict[str, list[float]] = field(default_factory=dict)
    prefill_ms: dict[str, list[float]] = field(default_factory=dict)
    prompt_tokens: dict[str, int] = field(default_factory=dict)
    decode: list[Decode] = field(default_factory=list)
    rival_s: list[float] = field(default_factory=list)
    rival_experts: str = ""
    cancel_steps: list[int] = field(default_factory=list)
    peak_gb: float | None = None


def model(said: dict[str, Any]) -> Model:
    """Of its `asdict`."""
    return Model(**{**said, "decode": [Decode(**one) for one in said["decode"]]})


@dataclass(slots=True)
class Served:
    """One load on the service. `rate`: arrivals a second, 0 = so many at once. Lists: a number a round.

    `first_*_s`: from the call to the first token. `cpu_ms`: of all processes of the service, a page;
    `host_ms`: without the thread that computes the model. `ends`: finish reasons.
    """

    rate: float
    at_once: int
    pages_s: list[float] = field(default_factory=list)
    tokens_s: list[float] = field(default_factory=list)
    first_p50_s: list[float] = field(default_factory=list)
    first_p95_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    host_ms: list[float] = field(default_factory=list)
    errors: int = 0
    ends: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Found:
    """A run; parts that were not measured, or failed with the words of `problems`, are None."""

    scale: str
    commit: str
    place: Place | None = None
    model: Model | None = None
    full_house: Served | None = None
    arrivals: list[Served] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        """Of `to_json`."""
        told = {each.name: said[each.name] for each in fields(cls) if each.name in said}
        found = cls(**told)
        found.place = Place(**said["place"]) if said.get("place") else None
        found.model = model(said["model"]) if said.get("model") else None
        found.full_house = Served(**said["full_house"]) if said.get("full_house") else None
        found.arrivals = [Served(**one) for one in said.get("arrivals", ())]
        return found
