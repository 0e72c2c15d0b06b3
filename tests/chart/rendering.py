"""The chart as it would be applied: rendered by helm itself, each mix of values once a process."""

import functools
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/pecia"
HELM = ROOT / "build/tools/helm"
SCENARIOS = tuple(
    sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
)
NEWEST = "1.37"
Object = dict[str, Any]
_VOLUMES = (
    ("configMap", "ConfigMap", "name"),
    ("secret", "Secret", "secretName"),
    ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
)
_KINDS = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Refused(Exception):
    """Helm did not render; its own words."""


@dataclass(frozen=True)
class Pod:
    """A pod template or pod, and whose it is."""

    owner: Object
    metadata: Object
    spec: Object

    @property
    def name(self) -> str:
        """Kind and name of the owner."""
        return f"{self.owner['kind']}/{self.owner['metadata']['name']}"

    @property
    def labels(self) -> dict[str, str]:
        """By which it is found."""
        labels: dict[str, str] = self.metadata["labels"]
        return labels

    @property
    def containers(self) -> list[Object]:
        """All of them, those that run first included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def references(self) -> set[tuple[str, str]]:
        """Kinds and names of what it needs to start."""
        found = {("ServiceAccount", self.spec["serviceAccountName"])}
        for volume in self.spec.get("volumes", []):
            for source, kind, key in _VOLUMES:
                if source in volume:
                    found.add((kind, volume[source][key]))
        for container in self.containers:
            for source in container.get("envFrom", []):
                found |= {(_KINDS[name], each["name"]) for name, each in source.items()}
            for entry in container.get("env", []):
                if reference := entry.get("valueFrom", {}).get("secretKeyRef"):
                    found.add(("Secret", reference["name"]))
        return found


@dataclass(frozen=True)
class Rendering:
    """All objects of one release."""

    objects: tuple[Object, ...] = field(repr=False)

    def of(self, kind: str) -> list[Object]:
        """All of a kind."""
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        """The one of this kind and name."""
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    def pods(self) -> Iterator[Pod]:
        """Pods, and templates of pods."""
        for one in self.objects:
            if one["kind"] == "Pod":
                yield Pod(one, one["metadata"], one["spec"])
            elif template := one.get("spec", {}).get("template", {}).get("spec"):
                yield Pod(one, one["spec"]["template"]["metadata"], template)

    def pod(self, component: str) -> Pod:
        """The one of a component."""
        (found,) = [pod for pod in self.pods() if pod.labels["app.kubernetes.io/component"] == component]
        return found

    def environment(self, container: Object) -> dict[str, str]:
        """What a container's process sees; values out of Secrets are their key's name."""
        seen: dict[str, str] = {}
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                seen |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        for entry in container.get("env", []):
            seen[entry["name"]] = entry["value"] if "value" in entry else _from_elsewhere(entry["valueFrom"])
        return seen


def _from_elsewhere(source: Object) -> str:
    key: str = source.get("secretKeyRef", {}).get("key", "elsewhere")
    return key


def helm(*arguments: str, given: str = "", program: Path = HELM) -> str:
    """What helm says; `given` is its standard input.

    Raises:
        Refused: it failed.
    """
    assert program.is_file(), "helm is not here yet: run scripts/kube-tools"
    command = [str(program), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def scenario(name: str) -> str:
    """Path of a scenario's values."""
    return str(CHART / f"ci/{name}-values.yaml")


def rendered(
    name: str = "",
    /,
    version: str = NEWEST,
    release: str = "pecia",
    namespace: str = "default",
    **values: Any,
) -> Rendering:
    """The chart with the values of a scenario, "" = its defaults, and `values` above them."""
    return _rendered(name, version, release, namespace, json.dumps(values, sort_keys=True))


@functools.cache
def _rendered(name: str, version: str, release: str, namespace: str, values: str) -> Rendering:
    files = ["--values", scenario(name)] if name else []
    command = ["template", release, str(CHART), "--namespace", namespace, "--kube-version", version, *files]
    text = helm(*command, "--values", "-", given=values)
    return Rendering(tuple(one for one in yaml.load_all(text, Loader=_Loader) if one))
