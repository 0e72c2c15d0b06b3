"""What is made of a spec: pods that Pod Security lets in, that drain, and that find their weights."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pecia_operator.desired.pod import target_revision
from pecia_operator.desired.scaling import PAGES_QUERY, scaled_object
from pecia_operator.desired.weights import FINAL_STATUSES, weights_claim, weights_job
from pecia_operator.desired.workload import (
    config_map,
    deployment,
    disruption_budget,
    record,
    service,
)
from pecia_operator.model import Model, Object, parse_model
from pecia_operator.settings import OperatorSettings, RolloutSettings
from pecia_operator.testing.scene import EXAMPLES
from pecia_operator.weights.failures import WeightsFailure

_SETTINGS = OperatorSettings(
    fleet="north",
    ocr_env="pecia-ocr-env",
    ocr_secrets={"pecia-tls": "/etc/pecia/tls"},
    model_key_secret="pecia-model-key",
    probe_port=50052,
)


def model(spec: dict[str, Any], **more: Any) -> Model:
    """A model as it is read from the cluster."""
    metadata = {"name": "m", "namespace": "default", "uid": "u", "generation": 1}
    return parse_model({"metadata": metadata | more, "spec": spec})


def example(name: str) -> Model:
    """A model of the chart's examples."""
    (path,) = [path for path in EXAMPLES if path.stem == name]
    return model(yaml.safe_load(path.read_text())["spec"])


def objects(of: Model) -> list[Object]:
    """Everything that Kubernetes itself knows."""
    revision = target_revision(of, _SETTINGS)
    made = [
        deployment(of, revision, of.spec.replicas, RolloutSettings()),
        service(of),
        disruption_budget(of),
        config_map(of, revision),
        record(of, revision, 1),
    ]
    if of.spec.weights:
        made.append(weights_job(of, of.spec.weights, _SETTINGS))
        if of.spec.weights.cache:
            made.append(weights_claim(of, of.spec.weights.cache))
    return made


def pods(of: Model) -> list[Object]:
    """The specs of all pods that are made."""
    return [made["spec"]["template"]["spec"] for made in objects(of) if made["kind"] in {"Deployment", "Job"}]


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_object_is_one_of_kubernetes(path: Path, version: str) -> None:
    """No field is misspelt or of the wrong type, in any version that is supported."""
    for made in objects(example(path.stem)):
        kubernetes_validate.validate(made, version, strict=True)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_pods_may_run_where_little_is_allowed(path: Path) -> None:
    """Pod Security "restricted", a read-only root, no token, and memory that is bounded."""
    for pod in pods(example(path.stem)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            allowed = container["securityContext"]
            assert allowed["allowPrivilegeEscalation"] is False
            assert allowed["readOnlyRootFilesystem"] is True
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_names_and_labels_find_each_other(path: Path) -> None:
    """Selectors match the pods, volumes are mounted, and everything names its owner."""
    of = example(path.stem)
    made = {one["kind"]: one for one in objects(of)}
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels["pecia.dev/fleet"] == "north"
    for selector in (
        made["Deployment"]["spec"]["selector"]["matchLabels"],
        made["Service"]["spec"]["selector"],
        made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert all(one["metadata"]["ownerReferences"][0]["uid"] == "u" for one in made.values())
    for pod in pods(of):
        volumes = {volume["name"] for volume in pod["volumes"]}
        containers = (*pod.get("initContainers", ()), *pod["containers"])
        mounted = {mount["name"] for one in containers for mount in one["volumeMounts"]}
        assert mounted == volumes
    (reader,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert reader["envFrom"][-1]["configMapRef"]["name"] == made["ConfigMap"]["metadata"]["name"]


def test_names_stay_short_enough() -> None:
    """With the longest name a model may have, a Job's pods can still be told apart."""
    of = model({"engine": "deepseek", "weights": {"s3": {"bucket": "weights"}}}, name="m" * 40)
    assert max(len(one["metadata"]["name"]) for one in objects(of)) <= 63 - 3


def test_a_stopping_pod_has_time_for_its_pages() -> None:
    """It takes pages until every caller knows, then has the longest request, and some seconds."""
    (pod,) = pods(example("rapid"))
    (reader,) = pod["containers"]
    before = int(reader["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] == before + 300 + 15


def test_probes_ask_for_the_model_and_never_kill_what_loads() -> None:
    """Startup and readiness are the model's, for the time the spec grants; liveness is the process's."""
    (pod,) = pods(model({"engine": "rapid", "startup": {"timeoutSeconds": 905}}))
    (reader,) = pod["containers"]
    services = {name: reader[name]["grpc"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert services["startupProbe"] == {"port": 50052, "service": "pecia.ocr.v1.OcrService"}
    assert services["readinessProbe"] == services["startupProbe"]
    assert services["livenessProbe"] == {"port": 50052, "service": ""}
    assert reader["startupProbe"]["failureThreshold"] * reader["startupProbe"]["periodSeconds"] >= 905
    rolled = deployment(example("rapid"), target_revision(example("rapid"), _SETTINGS), 1, RolloutSettings())
    assert rolled["spec"]["progressDeadlineSeconds"] > 905


def test_rollout_follows_the_strategy() -> None:
    """Surge never lacks a pod, Replace never has one too many."""
    strategies = {
        name: deployment(of, target_revision(of, _SETTINGS), 1, RolloutSettings())["spec"]["strategy"]
        for name in ("Surge", "Replace")
        for of in [model({"engine": "rapid", "rollout": {"strategy": name}})]
    }
    assert strategies["Surge"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert strategies["Replace"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_only_the_models_own_engine_runs() -> None:
    """Ready means that this model is loaded, not that another engine could answer for it."""
    config = target_revision(example("deepseek-s3"), _SETTINGS).config
    assert (config["PECIA_ENGINES__RAPID"], config["PECIA_ENGINES__TESSERACT"]) == ("false", "false")
    assert (config["MODEL_PATH"], config["PECIA_DEEPSEEK__DEVICE"]) == ("/models", "cuda")
    config = target_revision(example("rapid"), _SETTINGS).config
    assert (config["PECIA_ENGINES__RAPID"], config["PECIA_ENGINES__TESSERACT"]) == ("true", "false")
    assert "MODEL_PATH" not in config


def test_a_gpu_is_asked_for_and_its_taint_tolerated() -> None:
    """Requests and limits name it, and the pod may stand on nodes that are kept for it."""
    pod, job = pods(example("deepseek-s3"))
    (reader,) = pod["containers"]
    assert reader["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    assert "nvidia.com/gpu" not in str(job), "looking at weights must not hold a GPU"
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}} in pod["volumes"]


def test_weights_come_by_their_own_way() -> None:
    """From S3 each pod fetches; a volume is mounted where it is; a cache is filled by the Job alone."""
    fetching, looking = pods(example("deepseek-s3"))
    (container,) = fetching["initContainers"]
    env = {one["name"]: one["value"] for one in container["env"]}
    assert env["PECIA_WEIGHTS__SOURCE"] == "s3://example-weights/models/deepseek-ocr/v1"
    assert env["PECIA_WEIGHTS__FOLDER"] == "/models"
    assert "PECIA_WEIGHTS__FOLDER" not in str(looking), "the Job keeps nothing"
    mounted, job = pods(example("deepseek-pvc"))
    claim = {"name": "weights", "persistentVolumeClaim": {"claimName": "weights", "readOnly": True}}
    assert claim in mounted["volumes"]
    assert claim in job["volumes"]
    assert "initContainers" not in mounted
    cached, filling = pods(example("deepseek-hugging-face"))
    assert "initContainers" not in cached
    assert {"name": "PECIA_WEIGHTS__FOLDER", "value": "/models"} in filling["containers"][0]["env"]
    names = [one["name"] for one in cached["containers"][0]["volumeMounts"] if one.get("readOnly")]
    assert "weights" in names


def test_the_job_gives_up_only_where_another_try_is_useless() -> None:
    """The exit statuses it ends at are those of the program, each with the reason people are shown."""
    final = {
        failure.status: failure.__name__ for failure in WeightsFailure.__subclasses__() if failure.status > 1
    }
    assert final == FINAL_STATUSES
    of = example("deepseek-s3")
    assert of.spec.weights
    policy = weights_job(of, of.spec.weights, _SETTINGS)["spec"]["podFailurePolicy"]["rules"]
    assert policy[0]["onExitCodes"]["values"] == sorted(final)


def test_equal_specs_are_equal_revisions() -> None:
    """A number of pods makes none; an image, a setting, a shared one or a wish to try again does."""
    plain = {"engine": "rapid", "image": "a:1"}
    first = target_revision(model(plain), _SETTINGS)
    assert first == target_revision(model({**plain, "replicas": 9}), _SETTINGS)
    others = [
        target_revision(model({**plain, "image": "a:2"}), _SETTINGS),
        target_revision(model({**plain, "env": {"PECIA_CACHE__ENABLED": "false"}}), _SETTINGS),
        target_revision(model(plain), _SETTINGS, "other"),
        target_revision(model(plain, annotations={"pecia.dev/retry": "1"}), _SETTINGS),
    ]
    assert len({first.name, *(one.name for one in others)}) == 5


def test_an_autoscaler_decides_alone() -> None:
    """No number of pods is said, and both triggers are there."""
    of = example("deepseek-keda")
    assert of.spec.scaling
    made = deployment(of, target_revision(of, _SETTINGS), None, RolloutSettings())
    assert "replicas" not in made["spec"]
    scaled = scaled_object(of, of.spec.scaling)
    queue, in_flight = scaled["spec"]["triggers"]
    assert queue["metadata"]["query"] == PAGES_QUERY
    assert queue["authenticationRef"] == {"name": "pecia-pages"}
    assert 'pod=~"ocrmodel-m-.*"' in in_flight["metadata"]["query"]
    assert scaled["spec"]["minReplicaCount"] == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_whoever_reads_weights_first_has_the_signers_key(path: Path) -> None:
    """The Job, and the container that fetches for a pod; another key is another look at the weights."""
    of = example(path.stem)
    containers = [one for pod in pods(of) for one in (*pod.get("initContainers", ()), *pod["containers"])]
    for container in (one for one in containers if one["name"] == "weights"):
        env = {one["name"]: one.get("value") for one in container["env"]}
        (mount,) = [one for one in container["volumeMounts"] if one["name"] == "model-key"]
        assert env["PECIA_WEIGHTS__SIGNING_KEY_FILE"] == f"{mount['mountPath']}/signing.pub"
        assert mount["readOnly"] is True
    if of.spec.weights:
        job = weights_job(of, of.spec.weights, _SETTINGS)
        (key,) = [one for one in job["spec"]["template"]["spec"]["volumes"] if one["name"] == "model-key"]
        assert key["secret"]["secretName"] == "pecia-model-key"
        unsigned = weights_job(of, of.spec.weights, OperatorSettings())
        assert unsigned["metadata"]["name"] != job["metadata"]["name"]
        assert "model-key" not in str(unsigned)
