"""Which runtime, and in which precision: decided at start from what this machine can do."""

import logging
import platform
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from pecia_core.errors import Unavailable

from pecia_ocr.engines.rapid.networks.base import Network

log = logging.getLogger(__name__)

_PACKAGE = "pecia_ocr.engines.rapid.networks"


class Runtime(StrEnum):
    """The library that computes."""

    AUTO = "auto"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"


class Precision(StrEnum):
    """Of the numbers inside; bf16 is about twice as fast where the CPU has it, and reads the same."""

    AUTO = "auto"
    F32 = "f32"
    BF16 = "bf16"


def choose(runtime: Runtime, precision: Precision, threads: int) -> Callable[[bytes], Network]:
    """What makes a network from an ONNX file's bytes.

    Raises:
        Unavailable: what was asked for does not go together, or is not installed.
    """
    if runtime is Runtime.AUTO:
        runtime = Runtime.OPENVINO if _openvino_suits() else Runtime.ONNXRUNTIME
    if runtime is Runtime.ONNXRUNTIME:
        if precision is Precision.BF16:
            raise _unavailable("onnxruntime computes no bf16; choose openvino, or the precision f32.")
        log.info("Networks run on onnxruntime", extra={"precision": Precision.F32})
        return partial(import_module(f"{_PACKAGE}.onnxruntime").OnnxruntimeNetwork, threads=threads)
    if find_spec("openvino") is None:
        raise _unavailable(
            "The runtime openvino is not installed: pip install openvino, or choose onnxruntime."
        )
    module = import_module(f"{_PACKAGE}.openvino")
    if precision is Precision.AUTO:
        precision = Precision.BF16 if module.computes_bf16() else Precision.F32
    log.info("Networks run on OpenVINO", extra={"precision": precision})
    return partial(module.OpenVinoNetwork, threads=threads, precision=str(precision))


def _openvino_suits() -> bool:
    # Measured on x86 only; elsewhere onnxruntime is the one that is known to be good.
    return platform.machine().lower() in ("x86_64", "amd64") and find_spec("openvino") is not None


def _unavailable(message: str) -> Unavailable:
    return Unavailable(f"The rapid engine cannot start: {message}", code="engine_unavailable")
