"""Events: what `kubectl describe` and people who watch are told when something about a model changes."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pecia_core.errors import PeciaError

from pecia_operator.cluster import Cluster
from pecia_operator.model import Object
from pecia_operator.names import API_VERSION, FIELD_MANAGER, KIND
from pecia_operator.status import timestamp

_log = logging.getLogger(__name__)
# Ready only sums these up.
_TOLD = ("WeightsReady", "Progressing", "ScalingActive")
_GOOD = {"UpToDate", "RollingOut", "Verified", "BuiltIn", "Checking", "WaitingForWeights", "Waiting"}
_LONGEST_MESSAGE = 1024


def news(former: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The conditions that say something else than before."""
    before = {one["type"]: (one["status"], one["reason"]) for one in former.get("conditions") or []}
    for one in status.get("conditions") or []:
        if one["type"] in _TOLD and before.get(one["type"]) != (one["status"], one["reason"]):
            yield one


async def announce(cluster: Cluster, read: Object, status: Object, now: datetime) -> None:
    """Post an event for each. Events are a service to people: one that cannot be posted is only logged."""
    for one in news(read.get("status") or {}, status):
        _log.info(
            "Model changed",
            extra={"model": read["metadata"]["name"], "condition": one["type"], "reason": one["reason"]},
        )
        try:
            await cluster.create(event(read, one, now))
        except PeciaError as error:
            _log.warning("Event not posted", extra={"reason": error.message})


def event(read: Object, said: Mapping[str, Any], now: datetime) -> Object:
    """One condition as an event of its model."""
    about = read["metadata"]
    good = said["reason"] in _GOOD or (said["status"] == "True" and said["type"] != "Progressing")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{about['name']}.", "namespace": about["namespace"]},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": about["name"],
            "namespace": about["namespace"],
            "uid": about["uid"],
        },
        "type": "Normal" if good else "Warning",
        "reason": said["reason"],
        "message": str(said["message"])[:_LONGEST_MESSAGE],
        "firstTimestamp": timestamp(now),
        "lastTimestamp": timestamp(now),
        "count": 1,
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": "",
    }
