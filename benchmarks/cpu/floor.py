"""How near the engine is to the least time its networks can take on this machine."""

from dataclasses import dataclass
from typing import Any


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
    each = sum(profile["gflop"].values()) / profile["pictures"]
    return Floor(each, each / (gflops * cores))


def network_shares(profile: dict[str, Any], gflops: float) -> tuple[float, float]:
    """Of the peak (0 to 1), what detector and recogniser reach on one core while they compute."""
    detect, recognise = (
        profile["gflop"][name] / max(profile["seconds"][f"{name}: network"], 1e-9) / gflops
        for name in ("detect", "recognise")
    )
    return detect, recognise
