"""The Job that looks at a checkpoint before any pod depends on it, and the claim that may keep it."""

from pecia_operator.desired.checkpoint import (
    CONTAINER,
    claim_key,
    weights_container,
    weights_key,
    weights_volumes,
)
from pecia_operator.desired.security import pod_basics
from pecia_operator.desired.workload import metadata
from pecia_operator.model import Model, Object
from pecia_operator.names import WEIGHTS, weights_name
from pecia_operator.settings import OperatorSettings
from pecia_operator.spec import Cache, Weights

# Exit statuses of pecia_operator.weights after which another try would find the same.
FINAL_STATUSES = {10: "WeightsNotFound", 11: "WeightsChecksumMismatch", 12: "WeightsAccessDenied"}
_TRIES = 3
_LONGEST_S = 7200


def weights_job(model: Model, weights: Weights, settings: OperatorSettings) -> Object:
    """Reads every file and compares it with the manifest; into the cache where there is one, else nowhere."""
    keep = weights.cache is not None
    about = metadata(model, weights_name(model.name, weights_key(model, settings)), WEIGHTS)
    rule = {
        "action": "FailJob",
        "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": sorted(FINAL_STATUSES)},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": about,
        "spec": {
            "backoffLimit": _TRIES,
            "activeDeadlineSeconds": _LONGEST_S,
            "podFailurePolicy": {"rules": [rule]},
            "template": {
                "metadata": {"labels": model.labels(WEIGHTS)},
                "spec": {
                    **pod_basics(model.spec, settings),
                    "restartPolicy": "Never",
                    "containers": [weights_container(weights, settings, keep=keep)],
                    "volumes": weights_volumes(model, weights, settings),
                },
            },
        },
    }


def weights_claim(model: Model, cache: Cache) -> Object:
    """A volume for what is fetched. Its name is that of the weights: others get another."""
    spec: Object = {
        "accessModes": [cache.access_mode],
        "resources": {"requests": {"storage": cache.size}},
    }
    if cache.storage_class_name:
        spec["storageClassName"] = cache.storage_class_name
    about = metadata(model, weights_name(model.name, claim_key(model)), WEIGHTS)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": about, "spec": spec}
