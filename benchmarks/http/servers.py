"""The servers under load: our ocr service and gateway, and rapidocr_api, each as anybody would start it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.processes import fetched, free_port, our_command, running, until
from benchmarks.rivals.venvs import interpreter


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is asked, how, and its processes; the first one is the one that speaks HTTP."""

    name: str
    url: str
    field: str
    form: dict[str, str]
    pids: tuple[int, ...]


@contextmanager
def ours(engine: str) -> Iterator[Server]:
    """The ocr service with one engine, and the gateway in front of it."""
    grpc, http = free_port(), free_port()
    url = f"http://127.0.0.1:{http}"
    engines = {
        f"PECIA_ENGINES__{name.upper()}": str(name == engine) for name in ("rapid", "tesseract", "scripted")
    }
    ocr = {"PECIA_GRPC__PORT": str(grpc), "PECIA_TELEMETRY__LOG_LEVEL": "WARNING"} | engines
    gateway = {
        "PECIA_HTTP__HOST": "127.0.0.1",
        "PECIA_HTTP__PORT": str(http),
        "PECIA_OCR__TARGET": f"127.0.0.1:{grpc}",
        "PECIA_TELEMETRY__LOG_LEVEL": "WARNING",
    }
    with (
        running(our_command("pecia_ocr"), "ocr", ocr) as ocr_pid,
        running(our_command("pecia_gateway"), "gateway", gateway) as gateway_pid,
    ):
        until(lambda: _all_free(fetched(f"{url}/v1/capacity")), "pecia", ocr_pid, gateway_pid)
        yield Server("pecia", f"{url}/v1/ocr", "file", {"model": engine}, (gateway_pid, ocr_pid))


@contextmanager
def rapidocr_api() -> Iterator[Server]:
    """RapidOCR's own server."""
    port = free_port()
    program = interpreter("rapidocr-api").parent / "rapidocr_api"
    command = [str(program), "-ip", "127.0.0.1", "-p", str(port)]
    with running(command, "rapidocr-api", {}) as pid:
        until(lambda: fetched(f"http://127.0.0.1:{port}/") is not None, "rapidocr_api", pid)
        yield Server("rapidocr_api", f"http://127.0.0.1:{port}/ocr", "image_file", {}, (pid,))


def _all_free(said: bytes | None) -> bool:
    """Whether every worker of the service has loaded."""
    capacity = json.loads(said) if said else {"engines": []}
    slots = sum(engine["slots"] for engine in capacity["engines"])
    return bool(slots > 0 and capacity["free_slots"] == slots)
