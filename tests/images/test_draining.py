"""SIGTERM under load: nobody's request is lost, and pages of jobs go to another worker."""

import time
from collections.abc import Iterator

import httpx
import pytest
from pecia_worker.testing import scanned

from tests.images import places
from tests.images.load import Load
from tests.images.podman import Container, Podman, Yard, until

_GRACE_S = 120
_SETTLE_S = 3.0
_LEASE_S = 600


@pytest.fixture
def volume(podman: Podman) -> Iterator[str]:
    """A volume for jobs."""
    name = f"{podman.prefix}jobs"
    podman("volume", "create", name)
    yield name
    podman.attempt("volume", "rm", "--force", name)


def busy(load: Load, answers: int) -> None:
    """Until that many more requests were answered."""
    goal = len(load.answered) + answers
    until(lambda: len(load.answered) >= goal or load.failed, f"{answers} answers", 300)


def test_an_ocr_pod_drains(yard: Yard) -> None:
    """Told to stop under load, it ends what it reads; what it refuses is read by the other one."""
    leaving, staying = places.scripted(yard, 1.0), places.scripted(yard, 1.0)
    front = places.gateway(yard)
    places.until_serving(leaving, staying)
    places.until_pods(front, 2)
    load = Load([places.url(front)])
    with load.from_callers(6):
        busy(load, 12)
        assert leaving.stop(_GRACE_S) < _GRACE_S
        assert leaving.exit_code == 0
        busy(load, 6)
    assert (load.failed, load.broken) == ([], [])
    assert "Draining" in leaving.logs()


def test_a_gateway_drains(yard: Yard) -> None:
    """Told to stop after the balancer has left it, it ends every answer under way."""
    pod = places.scripted(yard, 1.0)
    leaving, staying = places.gateway(yard), places.gateway(yard)
    places.until_serving(pod)
    for front in (leaving, staying):
        places.until_pods(front, 1)
    load = Load([places.url(leaving), places.url(staying)])
    with load.from_callers(4):
        busy(load, 8)
        load.leave(places.url(leaving))
        assert leaving.stop(_GRACE_S) < _GRACE_S
        assert leaving.exit_code == 0
        busy(load, 6)
    assert (load.failed, load.broken) == ([], [])


def in_flight(container: Container) -> int:
    """Pages a worker holds."""
    return int(httpx.get(f"{places.url(container, 8080)}/health", timeout=10).json()["pages_in_flight"])


def test_a_worker_gives_its_pages_back(yard: Yard, volume: str) -> None:
    """Told to stop in the middle of a job, it does not sit on its pages until their leases lapse."""
    option, environment = places.storing(volume)
    environment |= {"PECIA_JOBS__LEASE_S": str(_LEASE_S)}
    pod = places.scripted(yard, 5.0)
    front = places.gateway(yard, option, **(environment | {"PECIA_JOBS__ENABLED": "true"}))
    leaving = places.worker(yard, option, **(environment | {"PECIA_WORKER__DRAIN_S": "1"}))
    places.until_serving(pod)
    places.until_pods(front, 1)
    document = scanned(12)
    answer = httpx.post(
        f"{places.url(front)}/v1/jobs",
        files={"file": ("report.pdf", document, "application/pdf")},
        data={"model": "scripted"},
        timeout=60,
    )
    assert answer.is_success, answer.text
    job = f"{places.url(front)}/v1/jobs/{answer.json()['job_id']}"
    until(lambda: in_flight(leaving), "claiming")
    time.sleep(_SETTLE_S)
    assert leaving.stop(_GRACE_S) < _GRACE_S / 2
    assert leaving.exit_code == 0
    told = time.monotonic()
    places.worker(yard, option, **environment)
    until(lambda: httpx.get(job, timeout=10).json()["status"] == "completed", "the job", _LEASE_S / 2)
    assert time.monotonic() - told < _LEASE_S / 2
    body = httpx.get(job, timeout=10).json()
    assert (body["total_pages"], body["processed_pages"]) == (12, 12)
