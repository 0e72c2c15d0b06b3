"""The two models in the rapidocr wheel. They are found without importing that package."""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pecia_core.errors import Unavailable
from pecia_models.folder import digest_of

_DETECTION = "PP-OCRv6_det_small.onnx"
_RECOGNITION = "PP-OCRv6_rec_small.onnx"
# Of the wheel 3.10.0, whose own hash stands in requirements/: another file of this name is another model.
_SHA256 = {
    _DETECTION: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    _RECOGNITION: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}


@dataclass(frozen=True, slots=True)
class Weights:
    """Files of the detection and the recognition model, and a name for this pair."""

    detection: Path
    recognition: Path
    revision: str


def packaged() -> Weights:
    """The pair inside the installed rapidocr wheel.

    Raises:
        Unavailable: the wheel is missing, or holds other models than it was published with.
    """
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "The rapid engine needs the rapidocr package for its models: pip install rapidocr==3.10.0.",
            code="engine_unavailable",
        )
    folder = Path(spec.origin).parent / "models"
    weights = Weights(
        folder / _DETECTION, folder / _RECOGNITION, f"pp-ocrv6-small@rapidocr-{version('rapidocr')}"
    )
    for path in (weights.detection, weights.recognition):
        if not path.is_file():
            raise Unavailable(
                f"The installed rapidocr package holds no {path.name}: pip install rapidocr==3.10.0.",
                code="engine_unavailable",
            )
        if digest_of(path) != _SHA256[path.name]:
            raise Unavailable(
                f"{path.name} is not the file that came with rapidocr 3.10.0: install it again, pip install "
                "--force-reinstall rapidocr==3.10.0.",
                code="engine_unavailable",
            )
    return weights
