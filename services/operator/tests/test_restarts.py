"""The operator ended in the middle of everything, trouble with the API server, and two operators at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from pecia_operator.testing import Chaos, Controllers, FakeApi, Outcome, crd_resource
from pecia_operator.testing.faults import BROKEN, CONFLICT, DROPPED, INVALID, LOST, SLOW
from pecia_operator.testing.resources import KEDA
from pecia_operator.testing.scene import RULES, Cluster, definition, until

_WRITES = {"create", "update", "patch", "delete"}


def settled(cluster: Cluster, name: str, image: str, pods: int) -> None:
    """Wait until a model is as its spec says, with nothing left over."""
    status = cluster.wait(name, "Ready")
    assert status["activeRevision"] == status["targetRevision"] == cluster.revision(name)
    label = {"pecia.dev/model": name}
    until(lambda: len(cluster.api.store.all("pods", label)) == pods)
    for pod in cluster.api.store.all("pods", label):
        assert pod["spec"]["containers"][0]["image"] == image
    for plural in ("deployments", "services", "poddisruptionbudgets"):
        assert len(cluster.api.store.all(plural, label)) == 1


@pytest.mark.parametrize("writes", [2, 4, 6, 8])
def test_ended_after_any_write(cluster: Cluster, writes: int) -> None:
    """Whatever was written last, the next operator carries on: made, changed badly, changed back."""
    broken = Outcome("crashing", "no", 1, 2)
    cluster.controllers.pod = lambda pod: (
        broken if pod["spec"]["containers"][0]["image"] == "bad:1" else Outcome()
    )
    cluster.api.cut_after["early"] = writes
    cluster.operate("early", "pod", resync_s=5.0)
    cluster.create("m", image="good:1")
    until(lambda: "early" in cluster.api.cut)
    cluster.operate("late", "pod")
    settled(cluster, "m", "good:1", 1)
    cluster.api.cut_after["late"] = writes
    cluster.change("m", image="bad:1")
    until(lambda: "late" in cluster.api.cut)
    cluster.operate("last", "pod")
    cluster.wait("m", "Blocked")
    cluster.change("m", image="good:2")
    settled(cluster, "m", "good:2", 1)
    assert cluster.controllers.fewest["ocrmodel-m"] == 1


def test_deleted_while_nobody_is_there(cluster: Cluster) -> None:
    """Nothing waits for an operator, and the next one makes nothing again."""
    cluster.operate("early")
    cluster.create("m")
    cluster.wait("m", "Ready")
    cluster.api.cut.add("early")
    cluster.delete("m")
    until(lambda: not cluster.api.store.all("pods"))
    cluster.operate("late")
    cluster.create("other")
    cluster.wait("other", "Ready")
    assert cluster.get("deployments", "ocrmodel-m") is None


@pytest.mark.parametrize("seed", [1, 2])
def test_trouble_by_chance(seed: int) -> None:
    """Refusals, conflicts, silence, lost answers and watches that end: it comes out the same, only later."""
    rates = {CONFLICT: 0.06, INVALID: 0.03, BROKEN: 0.08, SLOW: 0.02, LOST: 0.05, DROPPED: 0.3}
    chaos = Chaos(seed, rates)
    with (
        FakeApi([crd_resource(definition()), KEDA], rules=RULES, chaos=chaos) as api,
        Controllers(api.store) as controllers,
    ):
        cluster = Cluster(api, controllers)
        chaos.enabled = False
        operator = cluster.operate()
        until(lambda: api.store.all("leases"))
        chaos.enabled = True
        for number in (1, 2):
            cluster.create(f"m{number}", image="good:1", replicas=number)
        for number in (1, 2):
            settled(cluster, f"m{number}", "good:1", number)
        api.store.forget()
        api.drop_watches()
        for number in (1, 2):
            cluster.change(f"m{number}", image="good:2")
        for number in (1, 2):
            settled(cluster, f"m{number}", "good:2", number)
            assert controllers.fewest[f"ocrmodel-m{number}"] >= number
        cluster.delete("m1")
        until(lambda: cluster.get("deployments", "ocrmodel-m1") is None)
        chaos.enabled = False
        operator.stop()
    assert len(set(chaos.caused)) >= 4, f"seed {seed} caused only {chaos.caused}"
    assert controllers.errors == []


def acting(api: FakeApi, begin: int) -> set[str]:
    """Who wrote anything but the lease since then."""
    return {
        call.user
        for call in api.calls[begin:]
        if call.verb in _WRITES and call.resource != "leases" and call.user
    }


def test_two_never_act(cluster: Cluster) -> None:
    """The second waits; it takes over when the first is silent, and the first, back again, does not act."""
    cluster.operate("one")
    cluster.create("m")
    cluster.wait("m", "Ready")
    cluster.operate("two")
    time.sleep(2.0)  # longer than the lease lasts
    assert acting(cluster.api, 0) == {"one"}
    cluster.api.cut.add("one")
    cluster.change("m", replicas=2)
    settled(cluster, "m", str(_image(cluster)), 2)
    begin = len(cluster.api.calls)
    cluster.api.cut.discard("one")
    cluster.change("m", replicas=3)
    settled(cluster, "m", str(_image(cluster)), 3)
    time.sleep(1.0)
    assert acting(cluster.api, begin) == {"two"}
    lease = cluster.api.store.get("leases", "pecia-operator")
    assert lease
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("two", 1)


def _image(cluster: Cluster) -> object:
    deployment = cluster.get("deployments", "ocrmodel-m")
    assert deployment
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def test_the_lease_is_given_back(cluster: Cluster) -> None:
    """Who is told to stop lets the next one begin at once."""
    first = cluster.operate("one")
    until(lambda: cluster.api.store.all("leases"))
    first.stop()
    (lease,) = cluster.api.store.all("leases")
    assert lease["spec"]["holderIdentity"] == ""


@pytest.fixture
def program(api: FakeApi, tmp_path: Path) -> Iterator["Program"]:
    """The operator as the container runs it."""
    config = tmp_path / "config"
    config.write_text(yaml.safe_dump(api.kubeconfig("pod")))
    program = Program(config)
    yield program
    program.kill()


class Program:
    """`python -m pecia_operator`."""

    def __init__(self, config: Path) -> None:
        """Not started."""
        self._config = config
        self.log = config.with_name("log")
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, port: int) -> None:
        """It runs."""
        self.port = port
        environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self._config),
            "PECIA_OPERATOR__IDENTITY": "pod",
            "PECIA_PROBE__PORT": str(port),
            "PECIA_LEASE__DURATION_S": "3",
            "PECIA_LEASE__RENEW_S": "2",
            "PECIA_LEASE__RETRY_S": "0.3",
        }
        command = [sys.executable, "-m", "pecia_operator"]
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(command, env=environment, stderr=sink)

    def kill(self) -> None:
        """As the kernel does."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def healthy(self) -> bool:
        """Whether the kubelet would be content."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/healthz")
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and answer.json() == {"operator": "acting"}


def test_the_program_killed_and_started_again(cluster: Cluster, program: Program, free_port: int) -> None:
    """A real process: alive for the kubelet, killed in the middle of a rollout, and it goes on."""
    program.start(free_port)
    until(program.healthy)
    cluster.create("m", image="good:1")
    cluster.wait("m", "Ready")
    cluster.change("m", image="good:2")
    program.kill()
    program.start(free_port)
    settled(cluster, "m", "good:2", 1)
    assert program.process
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(30) == 0
    (lease,) = cluster.api.store.all("leases")
    assert lease["spec"]["holderIdentity"] == ""


def test_its_log_does_not_tell_of_every_call(cluster: Cluster, program: Program, free_port: int) -> None:
    """The lease is renewed and the kubelet looks, each every few seconds: neither is worth a line."""
    program.start(free_port)
    until(program.healthy)
    cluster.create("m", image="good:1")
    cluster.wait("m", "Ready")
    renewals = sum(call.resource == "leases" for call in cluster.api.calls)
    until(lambda: sum(call.resource == "leases" for call in cluster.api.calls) > renewals + 4)
    assert program.process
    program.process.send_signal(signal.SIGTERM)
    program.process.wait(30)
    lines = program.log.read_text().splitlines()
    loggers = {json.loads(line)["logger"] for line in lines if line.startswith("{")}
    assert any(name.startswith("pecia_operator") for name in loggers)
    assert not {name for name in loggers if name.startswith(("http", "aiohttp", "kopf.activities.probe"))}


def test_a_cluster_without_the_definition(tmp_path: Path) -> None:
    """It ends with what to install, and the kubelet starts it again."""
    with FakeApi([]) as api:
        config = tmp_path / "config"
        config.write_text(yaml.safe_dump(api.kubeconfig("pod")))
        environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(config)}
        command = [sys.executable, "-m", "pecia_operator"]
        ended = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert b"Install the chart pecia-crds" in ended.stderr
