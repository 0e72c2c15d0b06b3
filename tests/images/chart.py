"""The rendered chart as podman can play it: what a cluster adds is left out or stands in."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_HELM = ROOT / "build/tools/helm"
_PLAYED = {"ConfigMap", "Secret", "PersistentVolumeClaim"}
# What the kubelet or the scheduler does, and podman does not.
_NOT_POD = (
    "serviceAccountName",
    "topologySpreadConstraints",
    "automountServiceAccountToken",
    "enableServiceLinks",
)
_NOT_CONTAINER = ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle")

Thing = dict[str, Any]


class Release:
    """What `helm template` makes of the chart."""

    def __init__(self, name: str, values: Path, images: Mapping[str, str]) -> None:
        """Render; `images` says what stands for `pecia/NAME:VERSION`."""
        subprocess.run([ROOT / "scripts/kube-tools"], check=True, cwd=ROOT)
        command = [str(_HELM), "template", name, "helm/pecia", "--values", str(values)]
        rendered = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        self._things: list[Thing] = [thing for thing in yaml.safe_load_all(rendered) if thing]
        self._images = images

    def deployment(self, component: str) -> Thing:
        """The Deployment whose pods carry that component."""
        return next(
            found for found in self._kind("Deployment") if _labels(found["spec"]["template"]) == component
        )

    def service_of(self, deployment: Thing) -> str:
        """The name under which a cluster finds the Deployment's pods.

        Raises:
            StopIteration: no Service selects them.
        """
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        return next(
            str(service["metadata"]["name"])
            for service in self._kind("Service")
            if service["spec"]["selector"].items() <= labels.items()
        )

    def test_pod(self) -> Thing:
        """What `helm test` runs."""
        return next(pod for pod in self._kind("Pod") if "helm.sh/hook" in pod["metadata"]["annotations"])

    def playable(self, pod: Thing) -> str:
        """YAML of a Deployment or Pod for `podman play kube`, with all that it may mount or read."""
        spec = pod["spec"]["template"]["spec"] if pod["kind"] == "Deployment" else pod["spec"]
        for key in _NOT_POD:
            spec.pop(key, None)
        for container in spec["containers"]:
            for key in _NOT_CONTAINER:
                container.pop(key, None)
            container["image"] = self._image(container["image"])
            container["imagePullPolicy"] = "Never"
        return yaml.safe_dump_all([*self._mounted(json.dumps(spec)), pod])

    def _mounted(self, spec: str) -> Iterator[Thing]:
        """What the pod names: podman plays nothing twice."""
        for thing in self._things:
            if thing["kind"] in _PLAYED and f'"{thing["metadata"]["name"]}"' in spec:
                if thing["kind"] == "PersistentVolumeClaim":
                    # in a cluster fsGroup gives the volume to the pod's group
                    thing["metadata"]["annotations"] = {
                        f"volume.podman.io/{key}": "10001" for key in ("uid", "gid")
                    }
                yield thing

    def _image(self, name: str) -> str:
        """The image that was built, where the chart names one of its own version."""
        found = re.fullmatch(r"pecia/([\w-]+):([\d.]+)", name)
        chart = yaml.safe_load((ROOT / "helm/pecia/Chart.yaml").read_text())
        assert found, name
        assert found[2] == chart["appVersion"]
        return self._images[found[1]]

    def _kind(self, kind: str) -> Iterator[Thing]:
        return (thing for thing in self._things if thing["kind"] == kind)


def _labels(template: Thing) -> str:
    return str(template["metadata"]["labels"]["app.kubernetes.io/component"])
