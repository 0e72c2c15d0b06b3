"""DeepSeek-OCR by an OCRModel: weights are fetched and checked before any pod, and a checked one reads.

`PECIA_TEST_DEEPSEEK` names an image that computes on processors (`pecia/ocr-cuda` does); without it the last
test is left out.
"""

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from pecia_ocr.engine_settings import DeepseekSettings
from PIL import Image

from tests.cluster import backing
from tests.cluster.kubectl import Cluster, Thing, secret, until
from tests.cluster.model import Model
from tests.cluster.release import NAME, Images, Release
from training.drawn import LEVELS, Layout, paint
from training.examination import papers
from training.lessons import SIZE

_CHECKPOINT: Path = DeepseekSettings().demo_path
_BUCKET = "weights"
_SOUND, _SPOILED = "reader/v1", "reader/spoiled"
_TOLD_S = 300
_PAGES = 5


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, definition: None) -> Release:
    """The chart with the operator, and a bucket that holds the small checkpoint, sound and spoiled."""
    backing.start(cluster)
    cluster.apply(secret("weights-key", {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests"}))
    files = {file.name: file.read_bytes() for file in _CHECKPOINT.iterdir() if file.is_file()}
    backing.upload(cluster, _BUCKET, {f"{_SOUND}/{name}": content for name, content in files.items()})
    files["tokenizer.json"] += b" "
    backing.upload(cluster, _BUCKET, {f"{_SPOILED}/{name}": content for name, content in files.items()})
    release = Release(cluster, images, "cpu", ["small", "operated"])
    release.upgrade()
    return release


@pytest.fixture
def model(cluster: Cluster, release: Release, request: pytest.FixtureRequest) -> Any:
    """One that goes with its test."""
    made = Model(cluster, "digits")
    yield made
    cluster("delete", "ocrmodel", made.name, "--ignore-not-found", "--timeout=5m", timeout_s=330)
    until(lambda: not made.belongings(), "the end of what belonged to it", _TOLD_S)


def spec(prefix: str, **more: Any) -> Thing:
    """An OCRModel whose weights lie there."""
    s3 = {
        "bucket": _BUCKET,
        "prefix": prefix,
        "endpoint": "http://bucket:9000",
        "credentialsSecret": "weights-key",
    }
    resources = {"cpu": "100m", "memory": "2Gi", "sharedMemory": "256Mi", "weightsDisk": "100Mi"}
    return {"engine": "deepseek", "weights": {"s3": s3}, "resources": resources, **more}


def png(page: Layout) -> bytes:
    """A page as people send it."""
    file = io.BytesIO()
    Image.fromarray(paint(page)).save(file, "PNG")
    return file.getvalue()


def ask(cluster: Cluster, picture: bytes) -> str:
    """What the model says stands there, asked through a gateway."""
    asked = {"model": f"deepseek-ocr:{SIZE.value}", "picture": base64.b64encode(picture).decode()}
    return cluster.run_inside(f"deployment/{NAME}-gateway", "ask.py", given=json.dumps(asked)).strip()


def condition(status: Thing, kind: str) -> Thing:
    """One of the conditions."""
    return next((one for one in status.get("conditions", []) if one["type"] == kind), {})


def until_said(model: Model, kind: str, reason: str) -> Thing:
    """The status, once a condition gives that reason."""

    def look() -> Thing:
        status = model.status()
        return status if condition(status, kind).get("reason") == reason else {}

    return until(look, f"{kind}: {reason}", _TOLD_S)


@pytest.mark.parametrize(
    ("prefix", "reason", "named"),
    [(_SPOILED, "WeightsChecksumMismatch", "tokenizer.json"), ("nowhere", "WeightsNotFound", "nowhere")],
)
def test_weights_that_are_wrong_start_no_pod(model: Model, prefix: str, reason: str, named: str) -> None:
    """They are read by a Job; the status names the file, and no Deployment is there."""
    model.create(**spec(prefix))
    status = until_said(model, "WeightsReady", reason)
    assert named in condition(status, "WeightsReady")["message"]
    assert status["phase"] == "Failed"
    assert not any(one.startswith("Deployment/") for one in model.belongings())


def test_checked_weights_wait_for_a_gpu(model: Model) -> None:
    """On a cluster without one: the weights are sound, and what is missing is said with what helps."""
    wanted = spec(_SOUND)
    wanted["resources"]["gpu"] = 1
    model.create(**wanted)
    until_said(model, "WeightsReady", "Verified")
    status = until_said(model, "Progressing", "Unschedulable")
    assert "nvidia.com/gpu" in condition(status, "Progressing")["message"]


def test_a_checked_model_reads(cluster: Cluster, images: Images, model: Model) -> None:
    """Fetched into a restricted pod, it reads strings it never saw; spoiled weights then change nothing."""
    image = os.environ.get("PECIA_TEST_DEEPSEEK", "")
    if not image:
        pytest.skip("PECIA_TEST_DEEPSEEK names no image that computes DeepSeek-OCR on processors.")
    model.create(**spec(_SOUND, image=image, env={"PECIA_DEEPSEEK__DEVICE": "cpu"}))
    active = model.until("Ready")["activeRevision"]
    said = [(page.text, ask(cluster, png(page))) for page in papers(_PAGES, LEVELS[1])]
    assert sum(printed == read for printed, read in said) >= _PAGES - 1, said
    model.change(weights=spec(_SPOILED)["weights"])
    status = until_said(model, "WeightsReady", "WeightsChecksumMismatch")
    assert status["activeRevision"] == active
    assert model.ready_pods() == 1
