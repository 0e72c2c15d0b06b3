"""What an autoscaler did: KEDA's ScaledObjects, autoscalers by CPU, and the pods that came of them."""

from datetime import datetime

import pytest

from tests.cluster.kubectl import Cluster, Thing, until

_SCALED = "scaledobjects.keda.sh"
_SETTLED_S = 900
# KEDA looks each 15 s, the autoscaler too, and pods that read a page end it first.
_GONE_S = 600


def need(cluster: Cluster, kind: str, what: str) -> None:
    """Skip, where the cluster does not have that definition or APIService."""
    if not (cluster.get("customresourcedefinition", kind) or cluster.get("apiservice", kind)):
        pytest.skip(f"The cluster has no {what} ({kind}).")


def need_keda(cluster: Cluster) -> None:
    """Skip, where KEDA is not installed."""
    need(cluster, _SCALED, "KEDA")


def said(thing: Thing | None, condition: str) -> tuple[str, str]:
    """Status and reason of a condition; both empty while there is none."""
    for one in (thing or {}).get("status", {}).get("conditions", []):
        if one["type"] == condition:
            return str(one["status"]), str(one.get("reason", ""))
    return "", ""


def ready_since(pods: list[Thing]) -> float:
    """Seconds since 1970 at which the first of these pods was ready."""
    times = [
        datetime.fromisoformat(one["lastTransitionTime"]).timestamp()
        for pod in pods
        for one in pod["status"].get("conditions", [])
        if one["type"] == "Ready" and one["status"] == "True"
    ]
    return min(times, default=0.0)


class Scaled:
    """A Deployment of which somebody else says how many pods it has."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Of that name; its ScaledObject has the same."""
        self._cluster = cluster
        self.name = name

    def object(self) -> Thing:
        """KEDA's ScaledObject; empty where there is none."""
        return self._cluster.get(_SCALED, self.name) or {}

    def until_said(self, condition: str, status: str) -> str:
        """KEDA's reason, once it says so of the ScaledObject."""

        def look() -> str:
            found = said(self.object(), condition)
            return found[1] or "no reason" if found[0] == status else ""

        return until(look, f"{self.name} {condition}={status}", _SETTLED_S)

    def until_follows(self, status: str) -> str:
        """The reason, once KEDA's autoscaler says whether it has a number to follow.

        KEDA's own Ready stays True while a database that answered before is away.
        """

        def look() -> str:
            found = said(self._cluster.get("hpa", f"keda-hpa-{self.name}"), "ScalingActive")
            return found[1] if found[0] == status else ""

        return until(look, f"the autoscaler of {self.name} ScalingActive={status}", _SETTLED_S)

    def deployment(self) -> Thing:
        """The Deployment, with who set which field."""
        found = self._cluster.get("deployment", self.name)
        assert found is not None, self.name
        return found

    def wanted(self) -> int:
        """How many pods it is told to have."""
        return int(self.deployment()["spec"].get("replicas", 1))

    def ready(self) -> int:
        """How many of them the kubelet found ready."""
        return int(self.deployment()["status"].get("readyReplicas", 0))

    def until_ready(self, pods: int) -> None:
        """Until at least so many are."""
        until(lambda: self.ready() >= pods, f"{pods} ready pods of {self.name}", _SETTLED_S)

    def until_wanted(self, pods: int) -> None:
        """Until it is told to have that many."""
        until(lambda: self.wanted() == pods, f"{self.name} with {pods} pods", _GONE_S)

    def until_none(self) -> None:
        """Until it is told to have none and the last of them has gone."""

        def look() -> bool:
            return self.wanted() == 0 and not self.deployment()["status"].get("replicas", 0)

        until(look, f"the end of the last pod of {self.name}", _GONE_S)
