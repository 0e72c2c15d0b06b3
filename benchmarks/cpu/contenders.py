"""Who takes part in bench-cpu: the command, environment and number of processes of each."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pecia_ocr.cores import usable_cores
from pecia_ocr.settings import Settings, worker_environment

from benchmarks.cpu import held
from benchmarks.rivals import venvs

OURS, OURS_AVX2, STOCK, NO_CLS = "pecia", "pecia-avx2", "rapidocr", "rapidocr-nocls"
STOCK_OPENVINO, TESSERACT = "rapidocr-openvino", "tesseract"


@dataclass(frozen=True, slots=True)
class Contender:
    """A program to be measured; `places` is how many pictures a process has at a time.

    `command` installs what is missing, which is why it is asked for only when the contender
    starts; RuntimeError where that is not possible.
    """

    name: str
    what: str
    command: Callable[[], list[str]]
    environment: dict[str, str] = field(default_factory=worker_environment)
    processes: int = 1
    places: int = 1


def all_contenders() -> list[Contender]:
    """Ours first."""
    cores = usable_cores()
    avx2 = worker_environment() | held.ENVIRONMENT
    free = {name: text for name, text in worker_environment().items() if not name.startswith("OMP_")}
    places = Settings().engines.rapid_pages_per_worker
    return [
        Contender(
            OURS,
            f"our rapid engine as the service runs it: {cores} processes, a thread each, "
            f"{places} pages a process",
            partial(_ours, "rapid", {}, places),
            processes=cores,
            places=places,
        ),
        Contender(
            OURS_AVX2,
            "the same held to f32 and AVX2: no library of it sees more of the processor",
            partial(_held, places),
            avx2,
            cores,
            places,
        ),
        Contender(STOCK, "RapidOCR, its defaults", partial(_stock, STOCK, {}), free),
        Contender(
            NO_CLS,
            "RapidOCR without its line classifier",
            partial(_stock, STOCK, {"Global.use_cls": False}),
            free,
        ),
        Contender(
            STOCK_OPENVINO,
            "RapidOCR on OpenVINO",
            partial(_stock, STOCK_OPENVINO, {"engine": "openvino"}),
            free,
        ),
        Contender(
            TESSERACT,
            f"our Tesseract engine, {cores} processes",
            partial(_ours, "tesseract", {}, 1),
            processes=cores,
        ),
    ]


def _held(places: int) -> list[str]:
    held.build()
    return _ours("rapid", {"precision": "f32"}, places)


def _ours(engine: str, config: Mapping[str, object], places: int) -> list[str]:
    return [str(venvs.OURS), "-m", "benchmarks.cpu.children.ours", engine, json.dumps(config), str(places)]


def _stock(venv: str, parameters: Mapping[str, object]) -> list[str]:
    python = venvs.interpreter(venv)
    return [str(python), "-m", "benchmarks.cpu.children.stock", json.dumps(parameters)]
