"""Callers in a pod of the cluster, so that they meet the gateway as its neighbours do: by its Service."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pecia_worker.testing import scanned

from tests.cluster.kubectl import ROOT, Cluster, Thing, until
from tests.cluster.pods import restricted

_PROGRAM = ROOT / "tests/cluster/inside/callers.py"
_PICTURE = ROOT / "helm/pecia/files/tests/receipt.png"
_PAGES = 3
_PATIENCE_S = 900
_AFTER = 5


@dataclass(frozen=True)
class Said:
    """What callers wrote down: `read` = seconds an answer took, `again` = refusals that asked for patience.

    `lost` = requests that broke off or were refused for good, `began` = when the first that was answered was
    asked, in seconds since 1970 (0.0 = none was).
    """

    read: list[float]
    again: list[str]
    lost: list[Any]
    began: float

    def __str__(self) -> str:
        slowest = max(self.read, default=0.0)
        return f"{len(self.read)} read, slowest {slowest:.1f} s, {len(self.again)} asked for patience"


class Load:
    """Callers that go on until they are told to stop."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Callers in the pod of that name."""
        self._cluster = cluster
        self._name = name

    def said(self) -> Said:
        """Everything up to now."""
        text = self._cluster("logs", self._name)
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        read = [line for line in lines if "read" in line]
        return Said(
            [line["read"] for line in read],
            [f"{line['again']} {line['words']}" for line in lines if "again" in line],
            [line for line in lines if "failed" in line or "broken" in line],
            min((line["at"] - line["read"] for line in read), default=0.0),
        )

    def more(self, answers: int) -> None:
        """Until that many more were read, or one is lost."""
        goal = len(self.said().read) + answers

        def come() -> bool:
            said = self.said()
            return len(said.read) >= goal or bool(said.lost)

        until(come, f"{answers} answers", _PATIENCE_S)

    def end(self) -> None:
        """Nothing new; until each caller has its last answer."""
        self._cluster("exec", self._name, "--", "touch", "/tmp/stop")  # noqa: S108 - the pod's own volume
        until(self._ended, "the last answers", _PATIENCE_S)

    def _ended(self) -> bool:
        pod = self._cluster.get("pod", self._name)
        return pod is not None and pod["status"]["phase"] in {"Succeeded", "Failed"}


def nobody_was_lost(load: Load, show: Callable[[object], None]) -> None:
    """All callers end after some more answers, and each request was answered; shows how many."""
    load.more(_AFTER)
    load.end()
    said = load.said()
    show(said)
    assert said.lost == []


@dataclass(frozen=True)
class Wish:
    """What callers ask for: `read` = pictures or jobs, of a model, `callers` of them side by side.

    `later_s` = seconds from now before which no page of a job is to be read, `rest_s` = seconds that a caller
    rests after each answer.
    """

    read: str
    callers: int
    model: str = "auto"
    later_s: int = 0
    rest_s: int = 0


@contextmanager
def calling(cluster: Cluster, image: str, gateway: str, wish: Wish) -> Iterator[Load]:
    """Callers of a gateway's Service, in a pod of that image. They end with the block."""
    name = f"callers-{wish.read}-{wish.callers}"
    environment = {"READ": wish.read, "CALLERS": str(wish.callers), "MODEL": wish.model}
    environment |= {"LATER_S": str(wish.later_s), "REST_S": str(wish.rest_s)}
    cluster.apply(_files(name), _pod(name, image, GATEWAY_HOST=gateway, **environment))
    load = Load(cluster, name)
    try:
        until(lambda: load.said().read or load.said().lost, "the first answer", _PATIENCE_S)
        yield load
    finally:
        cluster("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found")
        cluster("delete", "configmap", name)


def _files(name: str) -> Thing:
    binary = {"receipt.png": _PICTURE.read_bytes(), "scan.pdf": scanned(_PAGES)}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"callers.py": _PROGRAM.read_text()},
        "binaryData": {key: base64.b64encode(value).decode() for key, value in binary.items()},
    }


def _pod(name: str, image: str, **environment: str) -> Thing:
    said: list[Thing] = [{"name": key, "value": value} for key, value in environment.items()]
    key = {"secretKeyRef": {"name": "pecia-test-key", "key": "api-key", "optional": True}}
    container = {
        "name": "callers",
        "image": image,
        "command": ["python", "/load/callers.py"],
        "env": [*said, {"name": "API_KEY", "valueFrom": key}],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
        "volumeMounts": [
            {"name": "load", "mountPath": "/load", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own volume
        ],
    }
    volumes = [
        {"name": "load", "configMap": {"name": name}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
    ]
    labels = {"pecia.dev/client": "true"}
    return restricted(name, labels, container, restartPolicy="Never", volumes=volumes)
