"""Each image as a pod runs it: read-only, without rights, in bounded memory, probed, told to stop."""

import json

import httpx
import pytest
from pecia_client.grpc import GrpcClient
from pecia_core.testing import sample_receipt

from tests.images import places
from tests.images.podman import Container, Yard, until

# What says of each service that it works: its port and path. The ocr service speaks gRPC.
PROBES = {"gateway": (8000, "/live"), "worker": (8080, "/ready"), "ui": (8501, "/_stcore/health")}
_STOP_S = 40  # none of them has anything to finish; a killed one would take all of it
_KILLED = 137
_STATUS = (
    "import os, json; s = dict(l.split(':', 1) for l in open('/proc/1/status'));"
    "rights = [s[n].strip() for n in ('CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp')];"
    "fixed = bool(os.statvfs('/').f_flag & os.ST_RDONLY);"
    "print(json.dumps([os.getuid(), os.getgid(), *rights, fixed]))"
)


def started(yard: Yard, name: str) -> Container:
    """One service by itself."""
    if name == "ocr":
        return places.scripted(yard, 0.1)
    if name == "worker":
        local = {"PECIA_DATABASE__URL": "sqlite:////tmp/j.sqlite3", "PECIA_BLOBS__URL": "/tmp/b"}  # noqa: S108 - the container's
        return places.worker(yard, **local)
    return yard.run(name, "--memory=512m", PECIA_JOBS__ENABLED="false")


@pytest.mark.parametrize("name", ["gateway", "worker", "ui", "ocr"])
def test_a_service_runs_restricted(yard: Yard, name: str) -> None:
    """It passes its probes and its image's HEALTHCHECK with no rights at all, and ends at SIGTERM with 0."""
    container = started(yard, name)
    if name == "ocr":
        places.until_serving(container)
        assert places.health(container, "") == "SERVING"
        assert places.pages_read(container) == 0
    else:
        port, path = PROBES[name]
        places.until_answering(container, path, port)
    assert container.healthy()
    uid, gid, effective, bounding, no_new, seccomp, fixed = json.loads(
        container.execute("python", "-c", _STATUS)
    )
    assert (uid, gid, int(effective, 16), int(bounding, 16)) == (10001, 10001, 0, 0)
    assert (no_new, seccomp) == ("1", "2")
    assert fixed is True
    assert container.state()["HostConfig"]["Memory"] > 0
    assert container.stop(_STOP_S) < _STOP_S
    assert container.exit_code == 0, container.logs()


def test_an_unwell_service_is_noticed(yard: Yard) -> None:
    """The HEALTHCHECK of an ocr pod fails where nothing listens and where the service has another name."""
    pod = places.scripted(yard, 0.1)
    places.until_serving(pod)

    def asked(address: str) -> int:
        return pod.podman.attempt("exec", pod.name, "python", "/opt/pecia/probe.py", address).returncode

    local = "grpc://127.0.0.1"
    assert asked(f"{local}:50051/{places.OCR}") == 0
    assert [
        asked(f"{local}:50051/no.such.Service"),
        asked(f"{local}:1"),
        asked("http://127.0.0.1:1/live"),
    ] == [1, 1, 1]


@pytest.mark.parametrize("name", ["gateway", "ocr"])
def test_a_signal_while_it_starts_is_heard(yard: Yard, name: str) -> None:
    """A pod that is told to stop before it listens to signals does not sit out its grace."""
    container = started(yard, name)
    assert container.stop(_STOP_S) < _STOP_S
    assert container.exit_code not in {0, _KILLED}


def test_orphans_are_buried(yard: Yard) -> None:
    """A program whose parent died, as tesseract's may, leaves no dead process behind when it ends."""
    pod = places.scripted(yard, 0.1)
    places.until_serving(pod)
    pod.execute("sh", "-c", "(sleep 0.5 &) ; exit 0")
    look = "grep -l 'State:.Z' /proc/[0-9]*/status 2>/dev/null; true"
    until(lambda: pod.execute("sh", "-c", look) == "", "burying", 20)
    assert "tini" in pod.execute("cat", "/proc/1/cmdline")


def test_a_picture_is_read(yard: Yard) -> None:
    """The CPU engines in their image: over the gateway and over gRPC, in 2 GiB, restricted."""
    pod = yard.run("ocr", "--memory=2g", alias="ocr")
    front = places.gateway(yard)
    places.until_serving(pod)
    places.until_pods(front, 1)
    until(lambda: "loading" not in httpx.get(f"{places.url(front)}/v1/capacity", timeout=10).text, "loading")
    picture, lines = sample_receipt()
    for model in ("rapid", "tesseract"):
        answer = httpx.post(
            f"{places.url(front)}/v1/ocr",
            files={"file": ("r.png", picture, "image/png")},
            data={"model": model},
            timeout=120,
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        assert "77.145" in " ".join(line["text"] for line in answer.json()["lines"]), model
    with GrpcClient(f"{pod.address}:50051") as client:
        assert "77.145" in " ".join(line.text for line in client.recognize(picture).page.lines())
        for _ in range(5):
            client.recognize(picture)
    assert len(lines) > 3
    assert pod.state()["State"]["Running"]
    assert not pod.state()["State"]["OOMKilled"]
    assert pod.stop(_STOP_S) < _STOP_S
    assert pod.exit_code == 0
