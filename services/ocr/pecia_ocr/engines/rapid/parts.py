"""The two networks without their last layers, which are cheaper outside of them.

The detector ends in a sigmoid over the whole page; what is text can be told from the numbers before
it. The recogniser ends in 18,710 classes for each step; nearly always one of the 592 that Latin script
needs wins, and `head` computes the others only where none of these is sure.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from pecia_core.errors import Unavailable

Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trunk:
    """The recogniser up to its features, and the classifier that was behind them.

    `weights`: features x classes; `bias`: classes; `alphabet`: the text of each class, class 0 = CTC's
    blank = "".
    """

    network: bytes
    weights: Weights
    bias: Weights
    alphabet: tuple[str, ...]


def detector(path: Path) -> bytes:
    """The detection network, giving logits.

    Raises:
        Unavailable: it does not end in a sigmoid.
    """
    model = onnx.load(path)
    last = _last(model)
    if last.op_type != "Sigmoid":
        raise _unknown(path)
    return _cut(model, last.input[0])


def trunk(path: Path) -> Trunk:
    """The recognition network, giving features, and its classifier apart.

    Raises:
        Unavailable: it does not end in features @ weights + bias -> softmax.
    """
    model = onnx.load(path)
    alphabet = _alphabet(model)
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    scores, product = _last(model), None
    if scores.op_type == "Softmax":
        scores = _source(model, scores.input[0])
        product = _source(model, scores.input[0])
    if product is None or (product.op_type, scores.op_type) != ("MatMul", "Add"):
        raise _unknown(path)
    weights, bias = (numpy_helper.to_array(known[node.input[1]]) for node in (product, scores))
    if weights.shape[1] != len(alphabet) or bias.shape != (len(alphabet),):
        raise _unknown(path)
    return Trunk(_cut(model, product.input[0]), weights, bias, alphabet)


def _alphabet(model: onnx.ModelProto) -> tuple[str, ...]:
    listed = {entry.key: entry.value for entry in model.metadata_props}.get("character", "")
    return ("", *listed.splitlines(), " ")  # the blank comes before the listed characters, the space after


def _last(model: onnx.ModelProto) -> onnx.NodeProto:
    return _source(model, model.graph.output[0].name)


def _source(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    """The node that computes `name`, seen through nodes that change nothing."""
    node = next(node for node in model.graph.node if name in node.output)
    return _source(model, node.input[0]) if node.op_type == "Identity" else node


def _cut(model: onnx.ModelProto, name: str) -> bytes:
    """The file's bytes with `name` as the only output, and nothing that it does not need."""
    graph = model.graph
    wanted = {name}
    for node in reversed(list(graph.node)):  # a graph's nodes are in topological order
        if wanted.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            wanted.update(node.input)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in wanted]:
        graph.initializer.remove(tensor)
    graph.ClearField("value_info")
    graph.ClearField("output")
    graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return bytes(model.SerializeToString())


def _unknown(path: Path) -> Unavailable:
    return Unavailable(
        f"{path.name} is built otherwise than the model pecia knows: pip install rapidocr==3.10.0.",
        code="engine_unavailable",
    )
