"""How containers come to a checkpoint: volumes, mounts, and the container that fetches and checks it."""

import json
from hashlib import sha256

from pecia_operator.desired.security import container_security
from pecia_operator.model import Model, Object
from pecia_operator.names import WEIGHTS_FOLDER, weights_name
from pecia_operator.settings import OperatorSettings
from pecia_operator.spec import HuggingFaceSource, S3Source, Weights

VOLUME = "weights"
CONTAINER = "weights"
_MANIFEST_VOLUME = "manifest"
_MANIFEST_FOLDER = "/manifest"
_KEY_VOLUME, _KEY_FOLDER, _KEY_FILE = "model-key", "/model-key", "signing.pub"
_KEY_DIGITS = 8
_RESOURCES = {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}


def weights_key(model: Model, settings: OperatorSettings) -> str:
    """Eight digits that name one look at these weights: by whom, on whose asking, for whose signature."""
    signer = [settings.model_key_secret] if settings.model_key_secret else []
    return _digits([_said(model), model.spec.service_account_name, model.retry, *signer])


def claim_key(model: Model) -> str:
    """Eight digits that name these weights, whoever looks."""
    return _digits(_said(model))


def _said(model: Model) -> object:
    return model.spec.weights.model_dump(mode="json") if model.spec.weights else None


def _digits(said: object) -> str:
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:_KEY_DIGITS]


def checkpoint_path(weights: Weights) -> str:
    """Where the checkpoint lies in a container."""
    mounted = weights.pvc or weights.image
    return f"{WEIGHTS_FOLDER}/{mounted.path}".rstrip("/") if mounted else WEIGHTS_FOLDER


def weights_volumes(model: Model, weights: Weights, settings: OperatorSettings) -> list[Object]:
    """The volume with the checkpoint, and those with its manifest and the signer's key, where there are."""
    volumes = [{"name": VOLUME, **_volume_source(model, weights)}]
    if weights.manifest and weights.manifest.config_map:
        source = {"name": weights.manifest.config_map, "items": [{"key": "sha256sums", "path": "sha256sums"}]}
        volumes.append({"name": _MANIFEST_VOLUME, "configMap": source})
    if settings.model_key_secret:
        secret = {"secretName": settings.model_key_secret, "items": [{"key": _KEY_FILE, "path": _KEY_FILE}]}
        volumes.append({"name": _KEY_VOLUME, "secret": secret})
    return volumes


def _volume_source(model: Model, weights: Weights) -> Object:
    if weights.pvc:
        return {"persistentVolumeClaim": {"claimName": weights.pvc.claim_name, "readOnly": True}}
    if weights.image:
        return {"image": {"reference": weights.image.reference, "pullPolicy": "IfNotPresent"}}
    if weights.cache:
        return {"persistentVolumeClaim": {"claimName": weights_name(model.name, claim_key(model))}}
    return {"emptyDir": {}}


def weights_container(weights: Weights, settings: OperatorSettings, *, keep: bool) -> Object:
    """The container that reads every byte of a checkpoint.

    Args:
        weights: which.
        settings: which image it is.
        keep: whether what is fetched is written to the volume, or only looked at.
    """
    env = {"PECIA_WEIGHTS__SOURCE": _address(weights) if weights.fetched else checkpoint_path(weights)}
    if keep:
        env["PECIA_WEIGHTS__FOLDER"] = WEIGHTS_FOLDER
    mounts = [{"name": VOLUME, "mountPath": WEIGHTS_FOLDER, "readOnly": not keep}]
    if weights.manifest and weights.manifest.sha256:
        env["PECIA_WEIGHTS__MANIFEST_SHA256"] = weights.manifest.sha256
    if weights.manifest and weights.manifest.config_map:
        env["PECIA_WEIGHTS__MANIFEST_FILE"] = f"{_MANIFEST_FOLDER}/sha256sums"
        mounts.append({"name": _MANIFEST_VOLUME, "mountPath": _MANIFEST_FOLDER, "readOnly": True})
    if settings.model_key_secret:
        env["PECIA_WEIGHTS__SIGNING_KEY_FILE"] = f"{_KEY_FOLDER}/{_KEY_FILE}"
        mounts.append({"name": _KEY_VOLUME, "mountPath": _KEY_FOLDER, "readOnly": True})
    container = {
        "name": CONTAINER,
        "image": settings.weights_image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["python", "-m", "pecia_operator.weights"],
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "resources": _RESOURCES,
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    return _with_credentials(container, weights)


def _address(weights: Weights) -> str:
    if weights.s3:
        return f"s3://{weights.s3.bucket}/{weights.s3.prefix.strip('/')}".rstrip("/")
    assert weights.hugging_face  # noqa: S101  spec.Weights has exactly one source
    hub = weights.hugging_face
    return f"https://huggingface.co/{hub.repository}/resolve/{hub.revision}"


def _with_credentials(container: Object, weights: Weights) -> Object:
    match weights.s3 or weights.hugging_face:
        case S3Source(region=region, endpoint=endpoint, credentials_secret=secret):
            container["env"].append({"name": "PECIA_WEIGHTS__REGION", "value": region})
            if endpoint:
                container["env"].append({"name": "PECIA_WEIGHTS__ENDPOINT", "value": endpoint})
            if secret:
                container["envFrom"] = [{"secretRef": {"name": secret}}]
        case HuggingFaceSource(token_secret=str(secret)):
            key = {"secretKeyRef": {"name": secret, "key": "HF_TOKEN"}}
            container["env"].append({"name": "PECIA_WEIGHTS__TOKEN", "valueFrom": key})
        case _:
            pass
    return container
