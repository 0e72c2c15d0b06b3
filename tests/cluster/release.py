"""The chart as it is installed in a test's namespace, with images that are at hand."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.kubectl import HELM, ROOT, Cluster, Thing, is_ready, until

_CHART = ROOT / "helm/pecia"
_OVERLAYS = Path(__file__).with_name("values")
_WAIT = ("--wait", "--timeout=20m")
_SETTLED_S = 900
NAME = "pecia"


@dataclass(frozen=True)
class Images:
    """Which images: `registry` before their names, `tag` of this release and of the `former` one."""

    registry: str
    tag: str
    former: str

    @classmethod
    def of_environment(cls) -> "Images":
        """As PECIA_TEST_REGISTRY, PECIA_TEST_IMAGES and PECIA_TEST_FORMER say."""
        return cls(
            os.environ.get("PECIA_TEST_REGISTRY", "localhost"),
            os.environ.get("PECIA_TEST_IMAGES", "test"),
            os.environ.get("PECIA_TEST_FORMER", ""),
        )

    def name(self, image: str) -> str:
        """Of an image of this release."""
        return "/".join(filter(None, [self.registry, "pecia", f"{image}:{self.tag}"]))


class Release:
    """One release of the chart, called `pecia`."""

    def __init__(self, cluster: Cluster, images: Images, scenario: str, overlays: Sequence[str]) -> None:
        """Not installed yet. `scenario` is a file of helm/pecia/ci, `overlays` of tests/cluster/values."""
        self._cluster = cluster
        files = [_CHART / f"ci/{scenario}-values.yaml", *(_OVERLAYS / f"{name}.yaml" for name in overlays)]
        self._said = [f"--values={file}" for file in files]
        self._said += [f"--set=image.registry={images.registry}", f"--set=image.tag={images.tag}"]

    def upgrade(self, *values: str) -> None:
        """`helm upgrade --install`, until every pod is ready; `values` are given as to --set."""
        self._put(values, *_WAIT)

    def begin(self, *values: str) -> None:
        """The same, but nothing is waited for: what its pods need may still be lacking."""
        self._put(values)

    def rollback(self, revision: int) -> None:
        """`helm rollback`, until every pod is ready."""
        self._cluster.helm("rollback", NAME, str(revision), *_WAIT)

    def uninstall(self) -> None:
        """`helm uninstall`, until the objects are gone."""
        self._cluster.helm("uninstall", NAME, *_WAIT)

    def test(self) -> str:
        """`helm test`: what became of its pod, and its log, which Helm 3 looks for when the pod is gone."""
        logs = [] if HELM.name == "helm3" else ["--logs"]
        return self._cluster.helm("test", NAME, "--timeout=15m", *logs)

    def pods(self, component: str = "") -> list[Thing]:
        """The release's pods that nobody has told to go, or those of a component."""
        selector = f"app.kubernetes.io/instance={NAME}"
        if component:
            selector += f",app.kubernetes.io/component={component}"
        found = self._cluster.all("pods", selector)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def settled(self, component: str, replicas: int) -> list[Thing]:
        """The component's pods, as soon as there are so many and all are ready."""

        def look() -> list[Thing]:
            pods = self.pods(component)
            return pods if len(pods) == replicas and all(map(is_ready, pods)) else []

        return until(look, f"{replicas} pods of {component}", _SETTLED_S)

    def all_settled(self, counts: Mapping[str, int]) -> list[Thing]:
        """Pods of several components, as soon as there are so many of each and all are ready."""
        return [pod for component, count in counts.items() for pod in self.settled(component, count)]

    def started(self) -> set[str]:
        """Which containers run, and since when."""
        statuses = [one for pod in self.pods() for one in pod["status"]["containerStatuses"]]
        return {f"{one['containerID']} {one['state']['running']['startedAt']}" for one in statuses}

    def _put(self, values: Sequence[str], *waiting: str) -> None:
        said = [f"--set={value}" for value in values]
        self._cluster.helm("upgrade", "--install", NAME, str(_CHART), *self._said, *said, *waiting)
