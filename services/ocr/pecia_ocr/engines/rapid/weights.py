"""The two models in the rapidocr wheel. They are found without importing that package."""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pecia_core.errors import Unavailable

_DETECTION = "PP-OCRv6_det_small.onnx"
_RECOGNITION = "PP-OCRv6_rec_small.onnx"


@dataclass(frozen=True, slots=True)
class Weights:
    """Files of the detection and the recognition model, and a name for this pair."""

    detection: Path
    recognition: Path
    revision: str


def packaged() -> Weights:
    """The pair inside the installed rapidocr wheel.

    Raises:
        Unavailable: the wheel is missing, or is one that holds other models.
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
    return weights
