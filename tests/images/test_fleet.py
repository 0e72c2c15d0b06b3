"""Several ocr pods behind one name: who joins is given work, who dies takes no request along."""

import time
from pathlib import Path

from tests.images import places
from tests.images.load import Load
from tests.images.podman import Container, Yard, until

_AGE_S = 15  # of a connection; 30 without the setting
_LOOK_S = 10.0
_FOREIGN = Path(__file__).with_name("foreign.py")


def shares(pods: list[Container]) -> list[float]:
    """What part of all pages each pod reads now."""
    before = [places.pages_read(pod) for pod in pods]
    time.sleep(_LOOK_S)
    read = [places.pages_read(pod) - first for pod, first in zip(pods, before, strict=True)]
    return [pages / max(sum(read), 1) for pages in read]


def test_a_pod_that_joins_gets_its_share(yard: Yard) -> None:
    """Within one connection age of its readiness, from our gateway and from a client that is not ours."""
    age = {"PECIA_GRPC__MAX_CONNECTION_AGE_S": str(_AGE_S), "PECIA_CACHE__ENABLED": "false"}
    pods = [places.scripted(yard, 0.2, **age) for _ in range(2)]
    front = places.gateway(yard)
    places.until_serving(*pods)
    places.until_pods(front, 2)
    load = Load([places.url(front)])
    with load.from_callers(6):
        until(lambda: len(load.answered) > 12, "the first answers")
        pods.append(places.scripted(yard, 0.2, **age))
        places.until_serving(pods[2])
        time.sleep(_AGE_S)
        ours = shares(pods)
    foreign = yard.run(
        "gateway",
        "--memory=256m",
        f"--volume={_FOREIGN}:/foreign.py:ro",
        '--entrypoint=["python", "/foreign.py", "ocr:50051"]',
    )
    until(lambda: min(places.pages_read(pod) for pod in pods) > 0, "the foreign client's first pages")
    fourth = places.scripted(yard, 0.2, **age)
    places.until_serving(fourth)
    time.sleep(_AGE_S)
    theirs = shares([*pods, fourth])
    assert (load.failed, load.broken) == ([], [])
    assert min(ours) > 1 / 3 / 2, ours
    assert min(theirs) > 1 / 4 / 2, theirs
    assert "FAILED" not in foreign.logs()


def test_a_pod_that_is_killed_takes_no_request_along(yard: Yard) -> None:
    """SIGKILL under load, as when a node is lost: everything that pod read is read again elsewhere."""
    pods = [places.scripted(yard, 1.0) for _ in range(3)]
    front = places.gateway(yard)
    places.until_serving(*pods)
    places.until_pods(front, 3)
    load = Load([places.url(front)])
    with load.from_callers(6):
        until(lambda: len(load.answered) > 12, "the first answers", 300)
        pods[0].kill()
        goal = len(load.answered) + 24
        until(lambda: len(load.answered) > goal or load.failed, "answers without it", 300)
    assert (load.failed, load.broken) == ([], [])
