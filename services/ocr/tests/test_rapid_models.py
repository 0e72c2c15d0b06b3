"""The models: where they are found, how they are cut, and how a computation stops."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from pecia_core.errors import Unavailable
from pecia_ocr.engines.base import CancelToken, Interrupted
from pecia_ocr.engines.rapid import parts, weights
from pecia_ocr.engines.rapid.networks import Network, Precision, Runtime, choice, choose

BOTH = pytest.mark.parametrize("runtime", [Runtime.OPENVINO, Runtime.ONNXRUNTIME])


def test_the_wheel_holds_both_models() -> None:
    """They are found without importing the package that carries them."""
    found = weights.packaged()
    assert found.detection.is_file()
    assert found.recognition.is_file()
    assert "3.10.0" in found.revision


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is unavailable, and the message has the command."""
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match=r"pip install rapidocr==3\.10\.0") as caught:
        weights.packaged()
    assert caught.value.code == "engine_unavailable"


def test_a_package_without_models_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another version of the package may lack these models."""
    (tmp_path / "rapidocr").mkdir()
    (tmp_path / "rapidocr" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Unavailable, match=r"PP-OCRv6_det_small\.onnx"):
        weights.packaged()


def make(model: bytes, runtime: Runtime) -> Network:
    """A loaded network in 32-bit floats."""
    return choose(runtime, Precision.F32, threads=1)(model)


@pytest.mark.engine
@BOTH
def test_a_running_computation_stops(runtime: Runtime) -> None:
    """A cancel from another thread ends it at the next operator, and the network stays usable."""
    network = make(parts.detector(weights.packaged().detection), runtime)
    large, small = np.zeros((1, 3, 1600, 1600), np.float32), np.zeros((1, 3, 64, 64), np.float32)
    cancel = CancelToken()
    cancelled_at: list[float] = []
    cancel.on_cancel(lambda: cancelled_at.append(time.perf_counter()))
    threading.Timer(0.2, cancel.cancel).start()
    with pytest.raises(Interrupted):
        network.run(large, cancel)
    assert time.perf_counter() - cancelled_at[0] < 0.2 * 5
    assert network.run(small, CancelToken()).shape == (1, 1, 64, 64)


@pytest.mark.engine
def test_a_late_cancel_stops_nothing_of_the_next_page() -> None:
    """The token of a page that is through may still be cancelled while another one is computed."""
    network = make(parts.detector(weights.packaged().detection), Runtime.OPENVINO)
    done = CancelToken()
    network.run(np.zeros((1, 3, 64, 64), np.float32), done)
    threading.Timer(0.1, done.cancel).start()
    assert network.run(np.zeros((1, 3, 1600, 1600), np.float32), CancelToken()).shape == (1, 1, 1600, 1600)


@pytest.mark.engine
@BOTH
def test_a_cut_recogniser_and_its_classifier_are_the_whole_one(runtime: Runtime) -> None:
    """Features times weights plus bias, through a softmax, is what the file as published answers."""
    path = weights.packaged().recognition
    picture = np.random.default_rng(5).normal(size=(2, 3, 48, 128)).astype(np.float32)
    whole = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = whole.run(None, {whole.get_inputs()[0].name: picture})
    trunk = parts.trunk(path)
    scores = make(trunk.network, runtime).run(picture, CancelToken()) @ trunk.weights + trunk.bias
    chances = np.exp(scores - scores.max(-1, keepdims=True))
    assert chances / chances.sum(-1, keepdims=True) == pytest.approx(expected, abs=2e-3)
    assert len(trunk.alphabet) == expected.shape[-1]
    assert (trunk.alphabet[0], trunk.alphabet[-1]) == ("", " ")


@pytest.mark.parametrize("part", [parts.detector, parts.trunk])
def test_a_model_that_ends_otherwise_is_refused(tmp_path: Path, part: Callable[[Path], object]) -> None:
    """A newer wheel may hold other networks: better no engine than one that reads nonsense."""
    tensor = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    answer = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "other", [tensor], [answer])
    onnx.save(helper.make_model(graph), tmp_path / "other.onnx")
    with pytest.raises(Unavailable, match=r"other\.onnx is built otherwise"):
        part(tmp_path / "other.onnx")


def test_onnxruntime_computes_no_bf16() -> None:
    """Asking for both is a mistake that is told, not one that is passed over."""
    with pytest.raises(Unavailable, match="choose openvino"):
        choose(Runtime.ONNXRUNTIME, Precision.BF16, threads=1)


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chosen by hand it is an error; left to pecia, the other one is taken."""
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match="pip install openvino"):
        choose(Runtime.OPENVINO, Precision.F32, threads=1)
    assert (
        type(make(parts.detector(weights.packaged().detection), Runtime.AUTO)).__name__
        == "OnnxruntimeNetwork"
    )
