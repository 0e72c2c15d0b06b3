"""RapidOCR as it comes, in its own environment: `python -m benchmarks.cpu.children.stock PARAMETERS`.

PARAMETERS are RapidOCR's own, as JSON; `engine` among them stands for the three engine types.
"""

import json
import sys
from typing import Any

from benchmarks.cpu.children.protocol import Line, Mouth, serve


def main(parameters: str) -> None:
    """Load RapidOCR, then read what is asked for."""
    mouth = Mouth()
    from rapidocr import EngineType, RapidOCR  # noqa: PLC0415 - it prints when it is imported

    given: dict[str, Any] = {"Global.log_level": "critical"} | json.loads(parameters)
    if engine := given.pop("engine", None):
        given |= {f"{part}.engine_type": EngineType(engine) for part in ("Det", "Cls", "Rec")}
    stock = RapidOCR(params=given)
    serve(lambda file, _: read(stock, file), mouth)


def read(stock: Any, file: str) -> list[Line]:  # noqa: ANN401 - no types published
    """From the file to its lines, decoded by RapidOCR itself."""
    result = stock(file)
    if result.boxes is None:
        return []
    found = zip(result.boxes, result.txts, result.scores, strict=True)
    return [(text, float(score), *map(float, (*box.min(0), *box.max(0)))) for box, text, score in found]


if __name__ == "__main__":
    main(*sys.argv[1:])
