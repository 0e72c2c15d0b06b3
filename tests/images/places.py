"""Our services as containers, each with what it needs to be told."""

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from tests.images.podman import Container, Yard, until

OCR = "pecia.ocr.v1.OcrService"
# An engine without a model: a page takes as long as its script says, and no processor.
_SCRIPTED = {
    "PECIA_ENGINES__RAPID": "false",
    "PECIA_ENGINES__TESSERACT": "false",
    "PECIA_ENGINES__SCRIPTED": "true",
    "PECIA_ENGINES__SCRIPTED_PAGES_PER_WORKER": "2",
}
_KEPT = "/var/lib/pecia"


def scripted(yard: Yard, page_s: float, **environment: str) -> Container:
    """An ocr pod whose pages take `page_s` seconds; not yet ready."""
    script = f"[default]\ncount = 10\ndelay_s = {page_s / 10}\n"
    said = _SCRIPTED | {"PECIA_ENGINES__SCRIPTED_SCRIPT": script} | environment
    return yard.run("ocr", "--memory=1g", alias="ocr", **said)


def gateway(yard: Yard, *options: str, **environment: str) -> Container:
    """A gateway in front of the pods that are called `ocr`; without jobs, unless it is told."""
    said = {"PECIA_OCR__TARGET": "ocr:50051", "PECIA_JOBS__ENABLED": "false"} | environment
    return yard.run("gateway", "--memory=512m", *options, alias="gateway", **said)


def worker(yard: Yard, *options: str, **environment: str) -> Container:
    """A worker for the same pods."""
    return yard.run("worker", "--memory=1g", *options, **({"PECIA_OCR__TARGET": "ocr:50051"} | environment))


def storing(volume: str) -> tuple[str, dict[str, str]]:
    """The option and the environment with which a container keeps jobs on a volume of this machine."""
    database, blobs = f"sqlite:///{_KEPT}/jobs.sqlite3", f"{_KEPT}/blobs"
    return f"--volume={volume}:{_KEPT}", {"PECIA_DATABASE__URL": database, "PECIA_BLOBS__URL": blobs}


def url(container: Container, port: int = 8000) -> str:
    """Where it answers HTTP."""
    return f"http://{container.address}:{port}"


def health(container: Container, service: str) -> str:
    """SERVING, NOT_SERVING or what the call failed with, as a probe of Kubernetes asks."""
    with grpc.insecure_channel(f"{container.address}:50051") as channel:
        try:
            asked = health_pb2.HealthCheckRequest(service=service)
            answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=10)
        except grpc.RpcError as error:
            return str(error.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def until_serving(*pods: Container) -> None:
    """Until the readiness probe of each is content."""
    for pod in pods:
        until(lambda pod=pod: health(pod, OCR) == "SERVING", f"{pod.name} loading", 300)  # type: ignore[misc]


def until_answering(container: Container, path: str, port: int = 8000) -> None:
    """Until an address says 200."""
    until(
        lambda: httpx.get(f"{url(container, port)}{path}", timeout=10).is_success,
        f"{container.name}{path}",
        300,
    )


def until_pods(container: Container, count: int) -> None:
    """Until a gateway sees so many pods."""
    until(
        lambda: httpx.get(f"{url(container)}/v1/capacity", timeout=10).json()["pods"] == count,
        f"seeing {count} pods",
    )


def pages_read(pod: Container) -> float:
    """Pages an ocr pod has read since it began, by its metrics."""
    text = httpx.get(f"{url(pod, 9090)}/metrics", timeout=10).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "ocr_requests_total"
    )
