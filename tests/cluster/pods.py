"""A pod of the tests' own, as Pod Security `restricted` takes it."""

from typing import Any

from tests.cluster.kubectl import Thing

_USER = 10001


def restricted(name: str, labels: dict[str, str], container: Thing, **more: Any) -> Thing:
    """One container, by nobody in particular and without rights; `more` = fields of the pod's spec."""
    walls = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{**container, "securityContext": walls}],
        **more,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
