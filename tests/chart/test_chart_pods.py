"""What every pod is: restricted, probed, spread, and given the time it needs to end."""

from typing import Any

import pytest

from tests.chart.rendering import SCENARIOS, Pod, Rendering, rendered

ALL = ["", *SCENARIOS]
CALLS_S = 300
MARGIN_S = 15


def sleep_of(container: dict[str, Any]) -> int:
    """Seconds a container still answers when its pod is to stop."""
    hook = container.get("lifecycle", {}).get("preStop", {})
    return int(hook["sleep"]["seconds"] if "sleep" in hook else hook["exec"]["command"][1]) if hook else 0


def breaches(pod: Pod) -> list[str]:
    """What the Pod Security Standard `restricted` would refuse, and what we ask for beside it."""
    wrong = []
    spec, outer = pod.spec, pod.spec.get("securityContext", {})
    wrong += [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    wrong += [f"volume {each['name']}" for each in spec.get("volumes", []) if not allowed & set(each)]
    for container in pod.containers:
        inner = container.get("securityContext", {})
        both = outer | inner
        wrong += [
            f"{container['name']}: {said}"
            for said, holds in {
                "runAsNonRoot": both.get("runAsNonRoot") is True,
                "runAsUser": both.get("runAsUser") == 10001 and both.get("runAsGroup") == 10001,
                "seccomp": both.get("seccompProfile") == {"type": "RuntimeDefault"},
                "escalation": inner.get("allowPrivilegeEscalation") is False,
                "capabilities": inner.get("capabilities") == {"drop": ["ALL"]},
                "read-only": inner.get("readOnlyRootFilesystem") is True,
                "privileged": not inner.get("privileged"),
                "host ports": not any("hostPort" in port for port in container.get("ports", [])),
            }.items()
            if not holds
        ]
    return wrong


@pytest.mark.parametrize("scenario", ALL)
def test_every_pod_is_restricted(scenario: str) -> None:
    """Pod Security `restricted`, a read-only root, and nobody but user 10001."""
    pods = list(rendered(scenario).pods())
    assert len(pods) >= 3
    assert {pod.name: wrong for pod in pods if (wrong := breaches(pod))} == {}


def test_a_breach_is_noticed() -> None:
    """A pod that may escalate, a folder of the host, a writable root."""
    pod = rendered().pod("gateway")
    loose = {**pod.containers[0], "securityContext": {"allowPrivilegeEscalation": True}}
    spec = {**pod.spec, "containers": [loose], "volumes": [{"name": "host", "hostPath": {"path": "/"}}]}
    found = breaches(Pod(pod.owner, pod.metadata, spec))
    assert {"volume host", "gateway: escalation", "gateway: capabilities", "gateway: read-only"} == set(found)


@pytest.mark.parametrize("scenario", ALL)
def test_only_the_operator_has_a_token(scenario: str) -> None:
    """Whoever opens documents cannot speak to the cluster."""
    for pod in rendered(scenario).pods():
        is_operator = pod.labels["app.kubernetes.io/component"] == "operator"
        assert pod.spec["automountServiceAccountToken"] is is_operator
        assert pod.spec["enableServiceLinks"] is False
    for account in rendered(scenario).of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("scenario", ALL)
def test_tmp_is_all_that_can_be_written(scenario: str) -> None:
    """Bounded folders in memory or on disk, the volumes of jobs and audit; secrets are read-only."""
    for pod in rendered(scenario).pods():
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        for container in pod.containers:
            mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
            assert "/tmp" in mounts  # noqa: S108 - the container's
            for path, mount in mounts.items():
                volume = volumes[mount["name"]]
                assert volume.get("emptyDir", {"sizeLimit": "bounded elsewhere"})["sizeLimit"]
                assert mount.get("readOnly") or path in {"/tmp", "/dev/shm", "/data", "/audit"}  # noqa: S108 - same
                assert "subPath" not in mount, "what is mounted so never rotates"


@pytest.mark.parametrize("scenario", ALL)
def test_every_container_says_what_it_needs(scenario: str) -> None:
    """CPU and memory are asked for, and memory has a limit that is no less; CPU is not throttled."""
    for pod in rendered(scenario).pods():
        for container in pod.containers:
            resources = container["resources"]
            assert set(resources["requests"]) >= {"cpu", "memory"}, pod.name
            assert "memory" in resources["limits"]
            assert "cpu" not in resources["limits"]


@pytest.mark.parametrize(("workers", "memory"), [(1, "2Gi"), (2, "3Gi"), (4, "5Gi")])
def test_memory_follows_the_processes(workers: int, memory: str) -> None:
    """One process of rapid has 2 GiB, two have 3."""
    pod = rendered(ocr={"engines": [{"name": "cpu", "workers": workers}]}).pod("ocr-cpu")
    assert pod.containers[0]["resources"]["limits"] == {"memory": memory}


def test_an_l4_is_asked_for_and_its_taint_borne() -> None:
    """2 CPUs, 8 GiB, one GPU, 2 GiB of shared memory, on nodes that others keep away from."""
    pod = rendered("l4").pod("ocr-l4")
    resources = pod.containers[0]["resources"]
    assert resources["requests"] == {"cpu": "2", "memory": "8Gi"}
    assert resources["limits"]["nvidia.com/gpu"] == 1
    (shm,) = [volume["emptyDir"] for volume in pod.spec["volumes"] if volume["name"] == "shm"]
    assert shm == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert pod.spec["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert "tolerations" not in rendered("l4").pod("ocr-cpu").spec


@pytest.mark.parametrize("wished", [True, False])
def test_an_engine_that_is_lost_ends_its_pod(wished: bool) -> None:
    """With its reason as the pod's message, unless somebody would rather look at the process."""
    engine = {"name": "cpu"} if wished else {"name": "cpu", "exitWhenBroken": False}
    container = rendered(ocr={"engines": [engine]}).pod("ocr-cpu").containers[0]
    assert {"name": "PECIA_ENGINES__EXIT_WHEN_BROKEN", "value": str(wished).lower()} in container["env"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def probes(rendering: Rendering, component: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Startup, liveness and readiness of a component's first container."""
    container = rendering.pod(component).containers[0]
    return container["startupProbe"], container["livenessProbe"], container["readinessProbe"]


def test_the_ocr_service_is_probed_by_its_own_protocol() -> None:
    """Alive = the process, ready = an engine can read, and a first start has 900 seconds."""
    started, lives, ready = probes(rendered(), "ocr-cpu")
    service = "pecia.ocr.v1.OcrService"
    assert started["grpc"] == {"port": 50051, "service": service}
    assert started["periodSeconds"] * started["failureThreshold"] == 900
    assert lives["grpc"] == {"port": 50051, "service": ""}
    assert ready["grpc"] == {"port": 50051, "service": service}


def test_the_service_named_by_probes_is_that_of_the_contract() -> None:
    """What a kubelet asks for is what the server sets."""
    from pecia_ocr.server import SERVICE  # noqa: PLC0415 - heavy

    assert probes(rendered(), "ocr-cpu")[2]["grpc"]["service"] == SERVICE


def test_with_tls_probes_ask_the_plain_port() -> None:
    """Kubelets speak neither TLS nor keys."""
    container = rendered("ha").pod("ocr-cpu").containers[0]
    for probe in probes(rendered("ha"), "ocr-cpu"):
        assert probe["grpc"]["port"] == 50052
    assert {"name": "health", "containerPort": 50052} in container["ports"]


def test_the_gateway_lives_while_engines_load() -> None:
    """Its process is alive at once; requests come when an engine can answer, or at once if so asked."""
    started, lives, ready = probes(rendered(), "gateway")
    assert {started["httpGet"]["path"], lives["httpGet"]["path"]} == {"/live"}
    assert started["periodSeconds"] * started["failureThreshold"] == 300
    assert ready["httpGet"]["path"] == "/ready"
    assert ready["periodSeconds"] == 5
    assert probes(rendered("ha"), "gateway")[2]["httpGet"]["path"] == "/live"


def test_the_worker_has_the_former_systems_health_check() -> None:
    """Port 8080; every 30 s, 10 s for an answer, three tries; but 300 s to start, for nodes can be busy."""
    started, lives, ready = probes(rendered("ha"), "worker")
    assert (lives["periodSeconds"], lives["timeoutSeconds"], lives["failureThreshold"]) == (30, 10, 3)
    assert started["periodSeconds"] * started["failureThreshold"] == 300
    assert ready["httpGet"] == {"path": "/ready", "port": "worker"}
    assert rendered("ha").pod("worker").containers[0]["ports"] == [{"name": "worker", "containerPort": 8080}]


@pytest.mark.parametrize("version", ["1.29", "1.30"])
@pytest.mark.parametrize("scenario", ALL)
def test_what_runs_has_time_to_end(scenario: str, version: str) -> None:
    """A pod stays for its sleep, the longest page and 15 s; its processes are told the same number."""
    rendering = rendered(scenario, version=version)
    for component in {"gateway", "worker", *(f"ocr-{name}" for name in engines(rendering))}:
        for pod in rendering.pods():
            if pod.labels["app.kubernetes.io/component"] != component:
                continue
            stays = pod.spec["terminationGracePeriodSeconds"]
            for container in pod.containers:
                seen = rendering.environment(container)
                drain = (
                    seen.get("PECIA_HTTP__DRAIN_S") or seen.get("PECIA_WORKER__DRAIN_S") or CALLS_S + MARGIN_S
                )
                assert float(drain) == CALLS_S + MARGIN_S
                assert stays >= sleep_of(container) + float(drain)
            if component != "worker":
                assert sleep_of(pod.containers[0]) == leaves(rendering, component)


def leaves(rendering: Rendering, component: str) -> int:
    """Seconds a pod still answers; AWS sends more to gateways it has taken out, for up to a minute."""
    classes = {one["spec"]["ingressClassName"] for one in rendering.of("Ingress")}
    return 60 if component == "gateway" and "alb" in classes else 10


def engines(rendering: Rendering) -> list[str]:
    """Names of the chart's own engines."""
    found = [pod.labels["app.kubernetes.io/component"] for pod in rendering.pods()]
    return [component.removeprefix("ocr-") for component in found if component.startswith("ocr-")]


def test_one_number_moves_them_all() -> None:
    """A page that may take ten minutes is given them by callers, engines, pods and load balancer."""
    rendering = rendered("ha", inferenceTimeoutSeconds=600)
    gateway, engine = rendering.pod("gateway"), rendering.pod("ocr-cpu")
    told = rendering.environment(gateway.containers[0])
    assert (told["PECIA_HTTP__DRAIN_S"], told["PECIA_OCR__TIMEOUT_S"]) == ("615", "600")
    assert rendering.environment(engine.containers[0])["PECIA_INFERENCE_TIMEOUT_S"] == "600"
    assert [pod.spec["terminationGracePeriodSeconds"] for pod in (gateway, engine)] == [675, 625]
    api = rendering.one("Ingress", "pecia-api")["metadata"]["annotations"]
    attributes = api["alb.ingress.kubernetes.io/target-group-attributes"]
    assert "deregistration_delay.timeout_seconds=615" in attributes


@pytest.mark.parametrize("scenario", ALL)
def test_pods_are_spread_over_zones_and_nodes(scenario: str) -> None:
    """As well as the cluster allows: a cluster of one node is no reason not to start."""
    for pod in rendered(scenario).pods():
        spread = {each["topologyKey"]: each for each in pod.spec["topologySpreadConstraints"]}
        assert set(spread) == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        for each in spread.values():
            assert each["whenUnsatisfiable"] == "ScheduleAnyway"
            assert each["matchLabelKeys"] == ["pod-template-hash"]  # those that go do not count
            assert set(each["labelSelector"]["matchLabels"].items()) <= set(pod.labels.items())
