"""The chart's pods as they are rendered, played by podman: they read a picture."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from pecia_client.grpc import GrpcClient
from pecia_core.testing import sample_receipt
from pecia_worker.testing import scanned

from tests.images.chart import ROOT, Release, Thing
from tests.images.podman import Podman, until

_VALUES = ROOT / "helm/pecia/ci/minimal-values.yaml"


class Played:
    """Pods that podman plays; all end with the test."""

    def __init__(self, podman: Podman, network: str, folder: Path) -> None:
        """Nothing is played yet."""
        self._podman = podman
        self._network = network
        self._folder = folder
        self._files: list[Path] = []

    def play(self, release: Release, pod: Thing, *names: str) -> str:
        """Start a pod that is known by these names; gives podman's name for it."""
        file = self._folder / f"{pod['metadata']['name']}.yaml"
        file.write_text(release.playable(pod))
        known = "".join(f",alias={name}" for name in names)
        self._files.append(file)
        command = ("play", "kube", f"--network={self._network}:{known.lstrip(',')}", str(file))
        words = self._podman(*command, timeout_s=300).split()
        return str(json.loads(self._podman("pod", "inspect", words[words.index("Pod:") + 1]))["Name"])

    def containers(self, pod: str) -> dict[str, Thing]:
        """The pod's own containers by the chart's names for them."""
        listed = json.loads(self._podman("ps", "--all", "--format=json", f"--filter=pod={pod}"))
        names = [str(name) for one in listed for name in one["Names"] if not one["IsInfra"]]
        return {name.removeprefix(f"{pod}-"): self._inspected(name) for name in names}

    def address(self, pod: str) -> str:
        """Where the network finds it."""
        infra = json.loads(self._podman("pod", "inspect", pod))["InfraContainerID"]
        return str(self._inspected(infra)["NetworkSettings"]["Networks"][self._network]["IPAddress"])

    def _inspected(self, name: str) -> Thing:
        return dict(json.loads(self._podman("container", "inspect", name))[0])

    def close(self) -> None:
        """Remove pods, then what they mounted."""
        for file in reversed(self._files):
            self._podman.attempt("play", "kube", "--down", str(file), timeout_s=300)
        for volume in self._podman("volume", "ls", "--quiet", f"--filter=name={self._podman.prefix}").split():
            self._podman.attempt("volume", "rm", "--force", volume)


@pytest.fixture
def played(podman: Podman, network: str, tmp_path: Path) -> Iterator[Played]:
    """Where the chart's pods run."""
    pods = Played(podman, network, tmp_path)
    yield pods
    pods.close()


def test_the_chart_reads_a_picture(podman: Podman, played: Played, images: Mapping[str, str]) -> None:
    """Its pods find each other by its Services' names and read over REST and gRPC, restricted."""
    release = Release(podman.prefix.strip("-"), _VALUES, images)
    ocr, front = release.deployment("ocr-cpu"), release.deployment("gateway")
    reading = played.play(release, ocr, release.service_of(ocr))
    asking = played.play(release, front, release.service_of(front))
    api = f"http://{played.address(asking)}:8000"
    until(lambda: httpx.get(f"{api}/ready", timeout=10).is_success, "the gateway", 300)
    until(lambda: httpx.get(f"{api.replace('8000', '8080')}/ready", timeout=10).is_success, "the worker", 300)
    picture, _ = sample_receipt()
    answer = httpx.post(f"{api}/v1/ocr", files={"file": ("receipt.png", picture, "image/png")}, timeout=120)
    assert "77.145" in " ".join(line["text"] for line in answer.json()["lines"])
    with GrpcClient(f"{played.address(reading)}:50051") as client:
        assert "77.145" in " ".join(line.text for line in client.recognize(picture).page.lines())
    job = httpx.post(
        f"{api}/v1/jobs", files={"file": ("scan.pdf", scanned(2), "application/pdf")}, timeout=60
    ).json()
    until(
        lambda: httpx.get(f"{api}/v1/jobs/{job['job_id']}", timeout=10).json()["status"] == "completed",
        "the job",
    )
    running = played.containers(reading) | played.containers(asking)
    assert set(running) == {"ocr", "gateway", "worker"}
    for name, container in running.items():
        assert container["Config"]["User"].startswith("10001"), name
        assert container["HostConfig"]["ReadonlyRootfs"] is True
        assert container["EffectiveCaps"] in (None, [])
        assert container["HostConfig"]["Memory"] > 0
    pod = played.play(release, release.test_pod(), "test")
    until(lambda: played.containers(pod)["test"]["State"]["Status"] == "exited", "the chart's own test")
    assert played.containers(pod)["test"]["State"]["ExitCode"] == 0
