"""How near the engine is to the least time its networks can take on this machine."""

from dataclasses import dataclass
from typing import Any

# Counted from the networks' shapes: 14.95 GFLOP for 960 x 736 pixels, 1.98 GFLOP of convolutions and an
# estimate for the rest for 320 columns of a strip.
GFLOP_A_MEGAPIXEL = 21.2
GFLOP_A_COLUMN = 2.05 / 320


@dataclass(frozen=True, slots=True)
class Floor:
    """Per picture: operations really computed (GFLOP), and seconds they take at the processor's peak."""

    gflop: float
    seconds: float

    def reached(self, seconds: float) -> float:
        """Per cent of the floor's speed, from the seconds a picture took with all cores at work."""
        return 100 * self.seconds / seconds


def floor(profile: dict[str, Any], gflops: float, cores: int) -> Floor:
    """Of a profile's pictures, on so many cores of so many GFLOP/s."""
    work = profile["megapixels"] * GFLOP_A_MEGAPIXEL + profile["columns"] * GFLOP_A_COLUMN
    each = work / profile["pictures"]
    return Floor(each, each / (gflops * cores))


def network_shares(profile: dict[str, Any], gflops: float) -> tuple[float, float]:
    """Of the peak (0 to 1), what detector and recogniser reach on one core while they compute."""
    work = (profile["megapixels"] * GFLOP_A_MEGAPIXEL, profile["columns"] * GFLOP_A_COLUMN)
    seconds = (profile["seconds"]["detect: network"], profile["seconds"]["recognise: network"])
    detect, recognise = (done / max(spent, 1e-9) / gflops for done, spent in zip(work, seconds, strict=True))
    return detect, recognise
