"""How much is measured: the published network on a GPU, a small one of the same make on a CPU."""

from dataclasses import dataclass, field

from pecia_ocr.engines.deepseek.testing import PUBLISHED, Dimensions

SIZES = ("tiny", "small", "base", "large", "gundam")


@dataclass(frozen=True, slots=True)
class Scale:
    """What is measured, and how much of it.

    Attributes:
        name: full, small or smallest.
        dimensions: of the network.
        sizes: of pictures.
        batches: rows of a decoding step.
        context: tokens a row holds before its first measured step.
        steps: measured of each kind and round.
        rival_tokens: of an answer in the comparison with `generate`.
        lengths: fewest and most tokens of an answer under Poisson arrivals.
        at_once: pages at once in the comparison with `generate`.
        rates: of arrivals, as parts of what the service reads at most.
    """

    name: str
    dimensions: Dimensions
    sizes: tuple[str, ...] = SIZES
    batches: tuple[int, ...] = (1, 4, 16, 64)
    context: int = 678  # a page at base, and half of an answer of 800 tokens
    steps: int = 64
    rival_tokens: int = 800
    lengths: tuple[int, int] = (200, 1400)
    at_once: int = 64
    rates: tuple[float, ...] = field(default=(0.5, 0.7, 0.85))


FULL = Scale("full", PUBLISHED)
SMALL = Scale(
    "small",
    Dimensions(vocabulary=2048),
    context=328,
    steps=16,
    lengths=(16, 64),
    at_once=4,
    rates=(0.5, 0.8),
)
SMALLEST = Scale(
    "smallest",
    Dimensions(vocabulary=512),
    sizes=("tiny",),
    batches=(2,),
    context=20,
    steps=2,
    rival_tokens=4,
    lengths=(2, 4),
    at_once=2,
    rates=(0.5,),
)
SCALES = {scale.name: scale for scale in (FULL, SMALL, SMALLEST)}
