"""The GPU image on a machine without a GPU: what it says there, and that all but the GPU works."""

import io

import pytest
from pecia.ocr.v1 import ocr_pb2
from pecia_client.grpc import GrpcClient
from pecia_core.recognition import RecognizeOptions, Sampling
from pecia_core.testing import sample_receipt
from PIL import Image

from tests.images import places
from tests.images.conftest import BUILT
from tests.images.podman import Container, Yard, until
from training.drawn import LEVELS, Layout, paint
from training.examination import papers
from training.lessons import SIZE

pytestmark = pytest.mark.skipif(
    "ocr-cuda" not in BUILT, reason="PECIA_TEST_CUDA is not set: 3 GB of downloads."
)
_PAGES = 5
_LOADED_S = 300
_DEMO = "deepseek-ocr-demo"


def engine(pod: Container, model: str) -> ocr_pb2.EngineDescription:
    """What is said of a model."""
    with GrpcClient(f"{pod.address}:50051") as client:
        return next(one for one in client.describe().engines if model in one.models)


def png(page: Layout) -> bytes:
    """A page as people send it."""
    file = io.BytesIO()
    Image.fromarray(paint(page)).save(file, "PNG")
    return file.getvalue()


def read(client: GrpcClient, page: Layout) -> str:
    """What the small checkpoint says stands there."""
    options = RecognizeOptions(model=_DEMO, model_size=SIZE, sampling=Sampling(temperature=0.0))
    return client.recognize(png(page), options).text.strip()


def test_it_computes_on_processors_where_it_is_told_to(yard: Yard) -> None:
    """torch, transformers and our engine, restricted: the small checkpoint reads strings it never saw."""
    demo = {"PECIA_DEEPSEEK__DEMO": "true", "PECIA_DEEPSEEK__DEVICE": "cpu"}
    pod = yard.run("ocr-cuda", "--memory=4g", alias="ocr", **demo)
    places.until_serving(pod)
    until(lambda: engine(pod, _DEMO).state == ocr_pb2.ENGINE_STATE_READY, "the small checkpoint", _LOADED_S)
    with GrpcClient(f"{pod.address}:50051") as client:
        assert "77.145" in " ".join(line.text for line in client.recognize(sample_receipt()[0]).page.lines())
        said = [(page.text, read(client, page)) for page in papers(_PAGES, LEVELS[1])]
    assert sum(printed == heard for printed, heard in said) >= _PAGES - 1, said


def test_without_a_gpu_it_says_so_and_reads_on_processors(yard: Yard) -> None:
    """As it comes: the model that was asked for cannot be, in a sentence; the CPU engines answer."""
    pod = yard.run("ocr-cuda", "--memory=2g", alias="ocr", MODEL_PATH="/models/nowhere")
    places.until_serving(pod)
    with GrpcClient(f"{pod.address}:50051") as client:
        assert "77.145" in " ".join(line.text for line in client.recognize(sample_receipt()[0]).page.lines())
    loading = ocr_pb2.ENGINE_STATE_LOADING
    until(lambda: engine(pod, "deepseek-ocr").state != loading, "a word about the model", _LOADED_S)
    deepseek = engine(pod, "deepseek-ocr")
    assert deepseek.state == ocr_pb2.ENGINE_STATE_UNAVAILABLE
    assert "GPU" in deepseek.reason, deepseek.reason
    assert pod.healthy()
