"""What a core can do at most: `python -m benchmarks.cpu.peak` multiplies matrices with OpenVINO."""

import json
from time import process_time

import numpy as np
from pecia_ocr.engines.rapid.networks.openvino import computes_bf16, ov

# The second matrix is a constant, as weights are: laid out for the processor beforehand.
SIDES = (512, 1024, 1536)
_ROUNDS = 20


def main() -> None:
    """Print the precision our engine would choose here, and the GFLOP/s of one thread in it."""
    precision = "bf16" if computes_bf16() else "f32"
    print(json.dumps({"precision": precision, "gflops": gflops(precision)}))


def gflops(precision: str) -> float:
    """The best of all sizes and rounds, per second of processor time."""
    return max(_product(side, precision) for side in SIDES)


def _product(side: int, precision: str) -> float:
    matrices = np.random.default_rng(1).random((2, side, side), np.float32)
    first = ov.opset13.parameter([side, side], np.float32)
    product = ov.opset13.matmul(first, ov.opset13.constant(matrices[1]), False, False)  # noqa: FBT003 - the library's signature
    model = ov.Model([product], [first], "product")
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision, "ENABLE_CPU_PINNING": False}
    request = ov.Core().compile_model(model, "CPU", options).create_infer_request()
    seconds = []
    for _ in range(_ROUNDS):
        began = process_time()
        request.infer([matrices[0]])
        seconds.append(process_time() - began)
    return 2 * side**3 / min(seconds) / 1e9


if __name__ == "__main__":
    main()
