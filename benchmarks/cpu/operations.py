"""How many operations a network takes for an input of some shape, counted from the network itself.

Counted are the multiplications and additions of convolutions and matrix products, the only layers that
a processor's peak says anything of; what is left takes less than a hundredth of that many.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any

# Not from the package itself, which would report that somebody has imported it.
from pecia_ocr.engines.rapid.networks.openvino import ov

Shape = tuple[int, ...]
_GIGA = 1e9


def gflop(network: bytes, shapes: Iterable[Shape]) -> float:
    """Of an ONNX file's bytes, for every shape it was given, batches and padding included."""
    model = ov.Core().read_model(network, b"")
    return sum(count * _of_shape(model, shape) for shape, count in Counter(shapes).items()) / _GIGA


def _of_shape(model: Any, shape: Shape) -> float:  # noqa: ANN401 - no types published
    model.reshape(list(shape))
    return sum(
        _COUNTED[kind](layer) for layer in model.get_ops() if (kind := layer.get_type_name()) in _COUNTED
    )


def _convolution(layer: Any) -> float:  # noqa: ANN401 - no types published
    """Each output is a sum over the kernel and the input channels: weights are out, in, kernel."""
    return float(2 * prod(layer.get_output_shape(0)) * prod(layer.get_input_shape(1)[1:]))


def _in_groups(layer: Any) -> float:  # noqa: ANN401 - no types published
    """As above, of the group's channels alone: weights are groups, out, in, kernel."""
    return float(2 * prod(layer.get_output_shape(0)) * prod(layer.get_input_shape(1)[2:]))


def _transposed(layer: Any) -> float:  # noqa: ANN401 - no types published
    """Each input is spread over the kernel and the output channels: weights are in, out, kernel."""
    return float(2 * prod(layer.get_input_shape(0)) * prod(layer.get_input_shape(1)[1:]))


def _product(layer: Any) -> float:  # noqa: ANN401 - no types published
    """Each output is a sum over the dimension that the factors share."""
    first, turned = layer.get_input_shape(0), layer.get_attributes()["transpose_a"]
    return float(2 * prod(layer.get_output_shape(0)) * first[-2 if turned else -1])


_COUNTED: Mapping[str, Callable[[Any], float]] = {
    "Convolution": _convolution,
    "GroupConvolution": _in_groups,
    "ConvolutionBackpropData": _transposed,
    "MatMul": _product,
}
