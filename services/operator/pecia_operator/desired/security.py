"""What every pod may not do: Pod Security "restricted", and a little more."""

from pecia_operator.model import Object
from pecia_operator.settings import OperatorSettings
from pecia_operator.spec import ModelSpec

# The user of all pecia images.
_USER = 10001


def pod_security() -> Object:
    """Of a whole pod. Files on its volumes belong to the group it runs as."""
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Object:
    """Of each container in it."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pod_basics(spec: ModelSpec, settings: OperatorSettings) -> Object:
    """What pods that read and pods that check weights have in common."""
    scheduling = spec.scheduling
    secrets = [*settings.image_pull_secrets, *(spec.image_pull_secrets or [])]
    basics: Object = {
        "serviceAccountName": spec.service_account_name or settings.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
    }
    if secrets:
        basics["imagePullSecrets"] = [{"name": name} for name in dict.fromkeys(secrets)]
    if scheduling.priority_class_name:
        basics["priorityClassName"] = scheduling.priority_class_name
    return basics
