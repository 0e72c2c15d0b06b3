"""Computing a network, by OpenVINO or by onnxruntime; `choice` says which of them suits this machine."""

from pecia_ocr.engines.rapid.networks.base import Network, Tensor
from pecia_ocr.engines.rapid.networks.choice import Precision, Runtime, choose

__all__ = ["Network", "Precision", "Runtime", "Tensor", "choose"]
