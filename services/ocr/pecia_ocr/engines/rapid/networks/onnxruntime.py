"""Networks on onnxruntime: for machines that OpenVINO does not know."""

from functools import partial

import onnxruntime as ort

from pecia_ocr.engines.base import CancelToken
from pecia_ocr.engines.rapid.networks.base import Tensor


class OnnxruntimeNetwork:
    """A network in 32-bit floats."""

    def __init__(self, model: bytes, threads: int) -> None:
        """Load an ONNX file's bytes; `threads` = cores one computation may use."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Every page and line has a shape of its own: remembering shapes would only grow memory.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The detector's deep layers are full of numbers next to zero, on which some CPUs are slow: as
        # zeros they give the same boxes in a third of the time. A process's first session decides.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        options.log_severity_level = 4  # a stopped computation is logged as an error by default
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, tensor: Tensor, cancel: CancelToken) -> Tensor:
        """Compute; a cancel stops it at the next operator of the graph.

        Raises:
            Interrupted: it was cancelled.
        """
        options = ort.RunOptions()
        options.log_severity_level = 4
        cancel.on_cancel(partial(_stop, options))
        cancel.check()
        try:
            output: Tensor = self._session.run(None, {self._input: tensor}, options)[0]
        except Exception:
            cancel.check()  # the library says only "fail" for a computation that was told to stop
            raise
        cancel.check()
        return output


def _stop(options: ort.RunOptions) -> None:
    options.terminate = True
