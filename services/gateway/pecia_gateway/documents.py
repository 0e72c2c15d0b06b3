"""Which pages of a request are read as one document."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from pecia_core.vocabulary import EngineName, EngineState
from pecia_dispatch import Fleet

from pecia_gateway.pages import Picture

_AUTO = "auto"
# Of one call: half of what a message may have, since other things are in it.
_MOST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that are read as one document, unless something is `against` it."""

    pictures: Sequence[Picture]
    against: str = ""


def grouped(pictures: Sequence[Picture], fleet: Fleet) -> list[Group]:
    """Groups of about the same size, in order.

    Args:
        pictures: more than one.
        fleet: says how many pages the model reads as one document.
    """
    most = _most(pictures[0].options.model, fleet)
    if most == 1:
        return [Group(pictures, "This model reads one page at a time.")]
    if len({replace(picture.options, page_index=0) for picture in pictures}) > 1:
        return [Group(pictures, "Pages of one document have to be asked for in one size.")]
    size = ceil(len(pictures) / ceil(len(pictures) / most))
    return [_group(pictures[begin : begin + size]) for begin in range(0, len(pictures), size)]


def _most(model: str, fleet: Fleet) -> int:
    """Pages that its engine reads as one document, where it is ready."""
    return max(
        (
            offer.pages_together
            for offer in fleet.engines
            if offer.state is EngineState.READY
            and (model in offer.models or (model == _AUTO and offer.name is EngineName.DEEPSEEK))
        ),
        default=1,
    )


def _group(pictures: Sequence[Picture]) -> Group:
    if sum(len(picture.data) for picture in pictures) > _MOST_BYTES:
        return Group(pictures, f"Together these pages have more than {_MOST_BYTES >> 20} MiB.")
    return Group(pictures)
