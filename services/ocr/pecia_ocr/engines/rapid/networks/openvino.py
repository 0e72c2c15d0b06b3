"""Networks on OpenVINO: the fastest on x86, and the only one here that computes in bfloat16."""

import sys
from threading import Lock

import numpy as np

from pecia_ocr.engines.base import CancelToken
from pecia_ocr.engines.rapid.networks.base import Tensor

# The package tells Google Analytics that it was imported, unless it does not find what would tell.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino as ov  # noqa: E402 - see above

__all__ = ["OpenVinoNetwork", "computes_bf16", "ov"]

# Compiled kernels are remembered, some hundred for each shape of input. With fewer places than the usual
# shapes need they are compiled again and again: with 512, lines took a third longer.
_REMEMBERED_KERNELS = 50_000


def computes_bf16() -> bool:
    """Whether this CPU computes in bfloat16 by itself."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoNetwork:
    """A network in the precision asked for."""

    def __init__(self, model: bytes, threads: int, precision: str) -> None:
        """Load an ONNX file's bytes.

        Args:
            model: the file.
            threads: cores one computation may use.
            precision: "f32" or "bf16".
        """
        core = ov.Core()
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": precision,
            # By default each process ties its thread to the same first core, and they share it.
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": _REMEMBERED_KERNELS,
        }
        compiled = core.compile_model(core.read_model(model, b""), "CPU", options)
        self._request = compiled.create_infer_request()

    def run(self, tensor: Tensor, cancel: CancelToken) -> Tensor:
        """Compute; a cancel stops it at the next layer.

        Raises:
            Interrupted: it was cancelled.
        """
        cancel.check()
        self._request.start_async([tensor], share_inputs=True)
        run = _Run(self._request)
        cancel.on_cancel(run.stop)
        try:
            self._request.wait()
        except RuntimeError:
            cancel.check()  # the library has one error for everything
            raise
        finally:
            run.end()
        cancel.check()
        return np.array(self._request.get_output_tensor(0).data, np.float32)


class _Run:
    """One computation: a token that is cancelled after it must not stop the next page's."""

    def __init__(self, request: ov.InferRequest) -> None:
        self._request = request
        self._lock = Lock()
        self._running = True

    def stop(self) -> None:
        with self._lock:
            if self._running:
                self._request.cancel()

    def end(self) -> None:
        with self._lock:
            self._running = False
