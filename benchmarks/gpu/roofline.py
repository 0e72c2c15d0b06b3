"""The most tokens a second that memory allows: every byte a step has to read, by how fast it can be read.

Nothing is taken off for what no kernel reaches: the bandwidth is the device's published peak.
"""

from dataclasses import dataclass

from pecia_ocr.engines.deepseek.testing import Dimensions

# GB/s, from the makers' data sheets; the first name that the device's own contains counts.
_PEAKS = (
    ("B200", 8000.0),
    ("H200", 4800.0),
    ("H100 PCIe", 2000.0),
    ("H100 NVL", 3900.0),
    ("H100", 3350.0),
    ("A100-PCIE-40GB", 1555.0),
    ("A100-SXM4-40GB", 1555.0),
    ("A100 80GB PCIe", 1935.0),
    ("A100", 2039.0),
    ("L40S", 864.0),
    ("L40", 864.0),
    ("RTX 6000 Ada", 960.0),
    ("RTX 4090", 1008.0),
    ("RTX 3090", 936.0),
    ("L4", 300.0),
    ("A10G", 600.0),
    ("A10", 600.0),
    ("T4", 320.0),
)


def peak_bandwidth(device: str) -> float | None:
    """GB/s of a GPU by its name; None = not in the list."""
    return next((peak for name, peak in _PEAKS if name in device), None)


@dataclass(frozen=True, slots=True)
class Roofline:
    """Of one network in numbers of so many bytes, on a device that reads so many GB/s."""

    dimensions: Dimensions
    number_bytes: int
    gb_per_second: float

    def experts_hit(self, batch: int) -> float:
        """How many experts of a layer a batch needs, where each row chooses its own evenly."""
        size = self.dimensions
        return float(size.experts * (1 - (1 - size.chosen / size.experts) ** batch))

    def weight_bytes(self, batch: int) -> float:
        """Of a step: attention, the first layer, shared and hit experts, gates, and the head."""
        size = self.dimensions
        attention = size.layers * 4 * size.hidden**2
        first = 3 * size.hidden * size.mlp
        expert = 3 * size.hidden * size.expert
        each = (self.experts_hit(batch) + size.shared) * expert + size.experts * size.hidden
        head = size.hidden * size.vocabulary
        return self.number_bytes * (attention + first + (size.layers - 1) * each + head)

    def context_bytes(self, batch: int, context: float) -> float:
        """Keys and values of so many rows that hold so many tokens each."""
        size = self.dimensions
        return self.number_bytes * 2 * size.layers * size.hidden * batch * context

    def tokens_per_second(self, batch: int, context: float) -> float:
        """At most, all rows together."""
        total = self.weight_bytes(batch) + self.context_bytes(batch, context)
        return batch * self.gb_per_second * 1e9 / total
