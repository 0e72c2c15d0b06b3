"""What stands around a revision's pods: Deployment, Service, disruption budget."""

from pecia_operator.desired.pod import selector
from pecia_operator.model import Model, Object
from pecia_operator.names import GRPC_PORT, METRICS_PORT, READER, REVISION_LABEL, object_name
from pecia_operator.revision import Revision
from pecia_operator.settings import RolloutSettings

_KEPT_REPLICA_SETS = 2
_SURGE = {"maxSurge": 1, "maxUnavailable": 0}
_REPLACE = {"maxSurge": 0, "maxUnavailable": 1}


def metadata(model: Model, name: str, component: str = READER) -> Object:
    """Of an object that goes when the model goes."""
    return {
        "name": name,
        "namespace": model.namespace,
        "labels": model.labels(component),
        "ownerReferences": [model.owner],
    }


def deployment(model: Model, revision: Revision, replicas: int | None, settings: RolloutSettings) -> Object:
    """The pods of a revision, taking over from whatever ran before.

    Args:
        model: whose.
        revision: what should run, which need not be what the spec asks for.
        replicas: how many; None = somebody else decides.
        settings: how long a new pod may take besides loading.
    """
    about = metadata(model, object_name(model.name))
    about["labels"][REVISION_LABEL] = revision.name
    spec = {
        "selector": {"matchLabels": selector(model)},
        "template": revision.template,
        "revisionHistoryLimit": _KEPT_REPLICA_SETS,
        "progressDeadlineSeconds": progress_deadline(model, settings),
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": _SURGE if model.spec.rollout.strategy == "Surge" else _REPLACE,
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about, "spec": spec}


def progress_deadline(model: Model, settings: RolloutSettings) -> int:
    """Seconds in which one more pod has to become ready: finding a node, pulling, fetching, loading."""
    return model.spec.startup.timeout_seconds + settings.scheduling_s


def service(model: Model) -> Object:
    """A name that resolves to the pods that are ready. Callers choose among them, not kube-proxy."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, object_name(model.name)),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": False,
            "selector": selector(model),
            "ports": [
                {"name": "grpc", "port": GRPC_PORT, "targetPort": GRPC_PORT, "protocol": "TCP"},
                {"name": "metrics", "port": METRICS_PORT, "targetPort": METRICS_PORT, "protocol": "TCP"},
            ],
        },
    }


def disruption_budget(model: Model) -> Object:
    """One pod at a time may be moved by somebody who drains a node; never none, or a drain would hang."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(model, object_name(model.name)),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(model)}},
    }


def config_map(model: Model, revision: Revision) -> Object:
    """A revision's settings. It has the revision in its name and never changes: old pods keep theirs."""
    about = metadata(model, revision.config_map(model.name))
    about["labels"][REVISION_LABEL] = revision.name
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": about,
        "immutable": True,
        "data": revision.config,
    }


def record(model: Model, revision: Revision, number: int) -> Object:
    """A revision as it was, so that it can be put back whatever became of the spec."""
    about = metadata(model, revision.config_map(model.name))
    about["labels"][REVISION_LABEL] = revision.name
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": about,
        "revision": number,
        "data": {"config": revision.config, "template": revision.template},
    }
