"""kubectl and helm as the tests of a cluster use them: one namespace of their own, and what is seen in it."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
_KUBECTL = ROOT / "build/tools/kubectl"
HELM = ROOT / "build/tools" / os.environ.get("PECIA_TEST_HELM", "helm")
_INSIDE = ROOT / "tests/cluster/inside"
Thing = dict[str, Any]
_Found = TypeVar("_Found")


class Refused(Exception):
    """kubectl or helm failed; their own words."""


def until(look: Callable[[], _Found], what: str, within_s: float) -> _Found:
    """Look again and again until there is something true; a refusal is nothing yet.

    Raises:
        TimeoutError: it took too long; with the last refusal.
    """
    end = time.monotonic() + within_s
    said = ""
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except Refused as refusal:
            said = f": {refusal}"
        time.sleep(1)
    raise TimeoutError(f"{what} took longer than {within_s:.0f} s{said}")


@dataclass(frozen=True)
class Cluster:
    """A namespace of a cluster, reached as `kubeconfig` says."""

    kubeconfig: str
    namespace: str

    def __call__(self, *arguments: str, given: str = "", timeout_s: float = 120) -> str:
        """What kubectl prints; `given` is its standard input.

        Raises:
            Refused: it failed.
        """
        return self._run(_KUBECTL, arguments, given, timeout_s)

    def run_inside(self, pod: str, program: str, *arguments: str, given: str = "") -> str:
        """What a program of tests/cluster/inside prints in a pod's first container.

        Raises:
            Refused: it failed.
        """
        command = ["exec", "--stdin", pod, "--", "python", "-c", (_INSIDE / program).read_text(), *arguments]
        return self(*command, given=given, timeout_s=180)

    def helm(self, *arguments: str, timeout_s: float = 1500) -> str:
        """What helm prints.

        Raises:
            Refused: it failed.
        """
        return self._run(HELM, arguments, "", timeout_s)

    def command(self, *arguments: str) -> list[str]:
        """kubectl, for who runs it beside the test."""
        return [str(_KUBECTL), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]

    def get(self, kind: str, name: str) -> Thing | None:
        """An object, or None where there is none."""
        listed = self("get", kind, name, "--ignore-not-found", "--output=json")
        return dict(json.loads(listed)) if listed else None

    def elsewhere(self, namespace: str) -> "Cluster":
        """The same cluster, another namespace."""
        return Cluster(self.kubeconfig, namespace)

    def all(self, kind: str, selector: str = "") -> list[Thing]:
        """All objects of a kind, or of kinds separated by commas."""
        listed = self("get", kind, f"--selector={selector}", "--output=json")
        return list(json.loads(listed)["items"])

    def apply(self, *things: Thing, dry: bool = False) -> list[str]:
        """Make them, or bring them up to date; `dry` = only ask whether the API server would.

        Fields nobody knows are refused. Gives the warnings, such as those of Pod Security.
        """
        documents = "\n---\n".join(json.dumps(thing) for thing in things)
        said = ["--server-side", "--validate=strict", "--filename=-", *(["--dry-run=server"] if dry else [])]
        done = self._done(_KUBECTL, ("apply", *said), documents, 300)
        return [line for line in done.stderr.splitlines() if line.startswith("Warning")]

    def _run(self, program: Path, arguments: tuple[str, ...], given: str, timeout_s: float) -> str:
        return self._done(program, arguments, given, timeout_s).stdout

    def _done(
        self, program: Path, arguments: tuple[str, ...], given: str, timeout_s: float
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [str(program), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            cwd=ROOT,
            env=os.environ | {"HELM_NAMESPACE": self.namespace},
        )
        if done.returncode:
            raise Refused(f"{program.name} {' '.join(arguments)}: {done.stderr.strip()[-3000:]}")
        return done


def is_ready(pod: Thing) -> bool:
    """Whether the kubelet found every container of a pod ready, and nobody told it to go."""
    said = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return said.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def secret(name: str, values: Mapping[str, str]) -> Thing:
    """A Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}
