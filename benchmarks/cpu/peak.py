"""What a core can do at most: `python -m benchmarks.cpu.peak` multiplies two matrices with OpenVINO."""

import json
from time import process_time

import numpy as np
import openvino as ov
from openvino import opset13
from pecia_ocr.engines.rapid.networks.openvino import computes_bf16

SIDE = 1536
_ROUNDS = 20


def main() -> None:
    """Print the precision our engine would choose here, and the GFLOP/s of one thread in it."""
    precision = "bf16" if computes_bf16() else "f32"
    print(json.dumps({"precision": precision, "gflops": gflops(precision)}))


def gflops(precision: str) -> float:
    """The best of some rounds, per second of processor time."""
    first, second = (opset13.parameter([SIDE, SIDE], np.float32) for _ in range(2))
    model = ov.Model([opset13.matmul(first, second, False, False)], [first, second], "product")  # noqa: FBT003 - the library's signature
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision, "ENABLE_CPU_PINNING": False}
    request = ov.Core().compile_model(model, "CPU", options).create_infer_request()
    dice = np.random.default_rng(1)
    matrices = [dice.random((SIDE, SIDE), np.float32) for _ in range(2)]
    seconds = []
    for _ in range(_ROUNDS):
        began = process_time()
        request.infer(matrices)
        seconds.append(process_time() - began)
    return 2 * SIDE**3 / min(seconds) / 1e9


if __name__ == "__main__":
    main()
