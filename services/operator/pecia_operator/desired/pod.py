"""The pods that read: one container with the ocr service, and where weights are fetched one before it."""

from pecia_operator.desired.checkpoint import (
    VOLUME,
    checkpoint_path,
    weights_container,
    weights_volumes,
)
from pecia_operator.desired.security import container_security, pod_basics
from pecia_operator.model import Model, Object
from pecia_operator.names import (
    COMPONENT_LABEL,
    FLEET_LABEL,
    GPU,
    GRPC_PORT,
    HEALTH_SERVICE,
    METRICS_PORT,
    MODEL_LABEL,
    READER,
    WEIGHTS_FOLDER,
    revision_name,
)
from pecia_operator.revision import PLACEHOLDER, Revision, make_revision
from pecia_operator.settings import OperatorSettings
from pecia_operator.spec import ModelSpec

CONTAINER = "ocr"
# Seconds beside the longest request for what a stopping process does besides.
_STOPPING_S = 15
_PROBE_PERIOD_S = 10


def target_revision(model: Model, settings: OperatorSettings, shared_env: str = "") -> Revision:
    """What the spec asks for.

    Args:
        model: whose spec.
        settings: what all pods have in common.
        shared_env: digest of the settings that all pods share; other ones make another revision.
    """
    template = pod_template(model, settings, revision_name(model.name, PLACEHOLDER))
    return make_revision(model, config_of(model.spec), template, shared_env)


def config_of(spec: ModelSpec) -> dict[str, str]:
    """Settings of the ocr service in these pods. What follows from other fields wins over `spec.env`."""
    config = {
        **(spec.env or {}),
        "PECIA_GRPC__HOST": "0.0.0.0",  # noqa: S104  of a container
        "PECIA_GRPC__PORT": str(GRPC_PORT),
        "PECIA_TELEMETRY__METRICS_PORT": str(METRICS_PORT),
        "PECIA_ENGINES__RAPID": _yes(spec.engine == "rapid"),
        "PECIA_ENGINES__TESSERACT": _yes(spec.engine == "tesseract"),
        "PECIA_ENGINES__LOAD_TIMEOUT_S": str(spec.startup.timeout_seconds),
        # A pod whose one model does not load is of no use; its last words are what people are shown.
        "PECIA_ENGINES__EXIT_WHEN_BROKEN": "true",
    }
    if spec.weights:
        config["MODEL_PATH"] = checkpoint_path(spec.weights)
        config["PECIA_DEEPSEEK__DEVICE"] = "cuda" if spec.resources.gpu else "cpu"
    return config


def _yes(value: bool) -> str:  # noqa: FBT001  its word is all it is for
    return "true" if value else "false"


def pod_template(model: Model, settings: OperatorSettings, config_map: str) -> Object:
    """The template of a Deployment, without the label of its revision."""
    labels = {**model.labels(READER), FLEET_LABEL: settings.fleet}
    return {"metadata": {"labels": labels}, "spec": _pod_spec(model, settings, config_map)}


def _pod_spec(model: Model, settings: OperatorSettings, config_map: str) -> Object:
    spec = model.spec
    pod = {
        **pod_basics(spec, settings),
        "terminationGracePeriodSeconds": settings.prestop_s + settings.drain_s + _STOPPING_S,
        "containers": [_reader(spec, settings, config_map)],
        "volumes": _volumes(model, settings),
        "topologySpreadConstraints": [
            _spread(model, "topology.kubernetes.io/zone"),
            _spread(model, "kubernetes.io/hostname"),
        ],
    }
    if spec.weights and spec.weights.fetched and not spec.weights.cache:
        fetching = weights_container(spec.weights, settings, keep=True)
        fetching["resources"] = {
            "requests": {
                **fetching["resources"]["requests"],
                "ephemeral-storage": spec.resources.weights_disk,
            },
            "limits": fetching["resources"]["limits"],
        }
        pod["initContainers"] = [fetching]
    if spec.scheduling.node_selector:
        pod["nodeSelector"] = spec.scheduling.node_selector
    if tolerations := _tolerations(spec):
        pod["tolerations"] = tolerations
    return pod


def _reader(spec: ModelSpec, settings: OperatorSettings, config_map: str) -> Object:
    mounts: list[Object] = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108
    if spec.weights:
        mounts.append({"name": VOLUME, "mountPath": WEIGHTS_FOLDER, "readOnly": True})
    for name, path in settings.ocr_secrets.items():
        mounts.append({"name": f"secret-{name}", "mountPath": path, "readOnly": True})
    return {
        "name": CONTAINER,
        "image": spec.image or (settings.ocr_gpu_image if spec.engine == "deepseek" else settings.ocr_image),
        "imagePullPolicy": settings.image_pull_policy,
        # The last one wins: what belongs to this revision.
        "envFrom": [*_shared_env(settings), {"configMapRef": {"name": config_map}}],
        "ports": [
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": _resources(spec),
        **_probes(spec, settings),
        # Callers look the pods up every few seconds; until the last has, this one goes on reading.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(settings.prestop_s)]}}},
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _shared_env(settings: OperatorSettings) -> list[Object]:
    if not settings.ocr_env:
        return []
    reference = {"name": settings.ocr_env, "optional": True}
    return [{"configMapRef": reference}, {"secretRef": dict(reference)}]


def _resources(spec: ModelSpec) -> Object:
    needs = spec.resources
    resources = {"requests": {"cpu": needs.cpu, "memory": needs.memory}, "limits": {"memory": needs.memory}}
    if needs.gpu:
        resources["requests"][GPU] = resources["limits"][GPU] = str(needs.gpu)
    return resources


def _probes(spec: ModelSpec, settings: OperatorSettings) -> Object:
    """Alive is the process; ready, and started, is its model."""

    def ask(service: str, failures: int) -> Object:
        return {
            "grpc": {"port": settings.probe_port, "service": service},
            "periodSeconds": _PROBE_PERIOD_S,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        }

    return {
        "startupProbe": ask(HEALTH_SERVICE, -(-spec.startup.timeout_seconds // _PROBE_PERIOD_S)),
        "readinessProbe": ask(HEALTH_SERVICE, 2),
        "livenessProbe": ask("", 3),
    }


def _volumes(model: Model, settings: OperatorSettings) -> list[Object]:
    spec = model.spec
    shared = {"medium": "Memory", "sizeLimit": spec.resources.shared_memory}
    volumes: list[Object] = [{"name": "tmp", "emptyDir": {}}, {"name": "shm", "emptyDir": shared}]
    if spec.weights:
        own, *beside = weights_volumes(model, spec.weights, settings)
        fetching = spec.weights.fetched and not spec.weights.cache
        volumes += [own, *(beside if fetching else [])]
    volumes += [{"name": f"secret-{name}", "secret": {"secretName": name}} for name in settings.ocr_secrets]
    return volumes


def _spread(model: Model, key: str) -> Object:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        # Those of its own revision: the former ones go.
        "matchLabelKeys": ["pod-template-hash"],
        "labelSelector": {"matchLabels": selector(model)},
    }


def selector(model: Model) -> dict[str, str]:
    """The labels by which this model's reading pods are found. They never change."""
    labels = model.labels(READER)
    return {name: labels[name] for name in (MODEL_LABEL, COMPONENT_LABEL)}


def _tolerations(spec: ModelSpec) -> list[Object]:
    own = spec.scheduling.tolerations or []
    gpu = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}] if spec.resources.gpu else []
    return [*gpu, *(one.model_dump(exclude_none=True) for one in own)]
