"""Objects fit together: selectors, ports, references, budgets, scaling, names."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import ROOT, SCENARIOS, Pod, Rendering, rendered
from tests.chart.rendering import scenario as scenario_file

ALL = ["", *SCENARIOS]
GIVEN_AWAY = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
INVENTORY = Path(__file__).with_name("inventory.yaml")
# Secrets and claims that the values of a scenario name: people make them before they install.
BROUGHT = {
    *(
        "pecia-keys",
        "pecia-internal-key",
        "pecia-signing",
        "pecia-verifying",
        "pecia-backend",
        "pecia-webhook-keys",
        "pecia-model-key",
        "pecia-audit-key",
        "pecia-audit",
    ),
    *("pecia-cache", "pecia-test-key", "filot-ocr", "vllm-key", "deepseek-ocr-weights"),
}


def finds(selector: dict[str, str], pod: Pod) -> bool:
    """Whether a selector finds a pod."""
    return bool(selector) and set(selector.items()) <= set(pod.labels.items())


def made(rendering: Rendering) -> set[tuple[str, str]]:
    """Kinds and names of what a release brings, and what is made of it."""
    found = {(one["kind"], one["metadata"]["name"]) for one in rendering.objects}
    found |= {("Secret", one["spec"]["target"]["name"]) for one in rendering.of("ExternalSecret")}
    found |= {("Secret", one["spec"]["secretName"]) for one in rendering.of("Certificate")}
    return found


@pytest.mark.parametrize("scenario", ALL)
def test_whatever_is_named_is_there(scenario: str) -> None:
    """ConfigMaps, Secrets, claims and accounts: made by the release, or brought by people."""
    rendering = rendered(scenario)
    needed = set().union(*(pod.references() for pod in rendering.pods()))
    lacking = {(kind, name) for kind, name in needed - made(rendering) if name not in BROUGHT}
    assert lacking == set()


@pytest.mark.parametrize("scenario", ALL)
def test_selectors_find_their_own_pods_alone(scenario: str) -> None:
    """A Deployment, a budget and a Service each find the pods of one component."""
    rendering = rendered(scenario)
    pods = list(rendering.pods())
    for one in [*rendering.of("Deployment"), *rendering.of("PodDisruptionBudget")]:
        component = one["metadata"]["labels"]["app.kubernetes.io/component"]
        found = [pod for pod in pods if finds(one["spec"]["selector"]["matchLabels"], pod)]
        assert [pod.labels["app.kubernetes.io/component"] for pod in found] == [component]


@pytest.mark.parametrize("scenario", ALL)
def test_services_lead_to_ports_that_are_open(scenario: str) -> None:
    """By name or number; the headless one by the number that pods listen on, for nothing maps it there."""
    rendering = rendered(scenario)
    for service in rendering.of("Service"):
        found = [pod for pod in rendering.pods() if finds(service["spec"]["selector"], pod)]
        assert found, service["metadata"]["name"]
        for pod in found:
            open_ports = {
                port[key]
                for c in pod.containers
                for port in c.get("ports", [])
                for key in ("name", "containerPort")
            }
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= open_ports
    (fleet,) = [one for one in rendering.of("Service") if one["spec"].get("clusterIP") == "None"]
    assert fleet["metadata"]["name"] == "pecia-ocr"
    assert fleet["spec"]["publishNotReadyAddresses"] is False
    assert fleet["spec"]["selector"] == {"pecia.dev/fleet": "pecia"}
    (port,) = fleet["spec"]["ports"]
    assert port["port"] == port["targetPort"] == 50051


@pytest.mark.parametrize("scenario", ALL)
def test_every_ocr_pod_is_of_the_fleet(scenario: str) -> None:
    """So that the one Service finds it, and nobody else carries the label."""
    for pod in rendered(scenario).pods():
        is_ocr = pod.labels["app.kubernetes.io/component"].startswith("ocr-")
        assert (pod.labels.get("pecia.dev/fleet") == "pecia") is is_ocr


@pytest.mark.parametrize("scenario", ALL)
def test_nodes_can_be_emptied(scenario: str) -> None:
    """Every Deployment that serves has a budget of one pod at a time, which a single pod does not block."""
    rendering = rendered(scenario)
    budgets = {one["metadata"]["name"]: one["spec"] for one in rendering.of("PodDisruptionBudget")}
    serving = {one["metadata"]["name"] for one in rendering.of("Deployment")} - {"pecia-operator"}
    assert set(budgets) == serving
    for budget in budgets.values():
        assert budget["maxUnavailable"] == 1
        assert "minAvailable" not in budget
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("scenario", ALL)
def test_whoever_scales_alone_counts(scenario: str) -> None:
    """One scaler a Deployment, and then no number in it: an upgrade would reset it."""
    rendering = rendered(scenario)
    targets = [
        one["spec"]["scaleTargetRef"]["name"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for one in rendering.of(kind)
    ]
    assert len(targets) == len(set(targets))
    for deployment in rendering.of("Deployment"):
        assert ("replicas" in deployment["spec"]) is (deployment["metadata"]["name"] not in targets)
    assert set(targets) <= {one["metadata"]["name"] for one in rendering.of("Deployment")}


def test_scaling_is_not_silent_about_scenarios() -> None:
    """Both kinds of scaling are among them."""
    assert rendered("ha").of("HorizontalPodAutoscaler")
    assert {one["metadata"]["name"] for one in rendered("eks").of("ScaledObject")} == {
        "pecia-worker",
        "pecia-ocr-burst",
    }


@pytest.mark.parametrize(
    ("change", "component"),
    [
        ({"logLevel": "DEBUG"}, "gateway"),
        ({"gateway": {"env": {"PECIA_HTTP__KEEP_ALIVE_S": 80}}}, "gateway"),
        ({"worker": {"renderWorkers": 2}}, "worker"),
        ({"ocr": {"maxPictureBytes": 20971520}}, "ocr-cpu"),
        ({"ui": {"env": {"PECIA_UI__CONFIDENCE_THRESHOLD": 0.9}}}, "ui"),
    ],
)
def test_a_changed_setting_replaces_the_pods(change: dict[str, Any], component: str) -> None:
    """Processes read their settings once; a ConfigMap alone would change nothing."""
    before, after = rendered("ha").pod(component), rendered("ha", **change).pod(component)
    assert (
        before.metadata["annotations"]["checksum/config"] != after.metadata["annotations"]["checksum/config"]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"monitoring": {"intervalSeconds": 60}},
        {"ocr": {"defaults": {"cpuPercent": 50, "scaleDownDelaySeconds": 60, "maxReplicas": 9}}},
        {"ocr": {"defaults": {"pagesPerPod": 7, "cooldownSeconds": 60, "minReplicas": 3}}},
        {"gateway": {"autoscaling": {"maxReplicas": 9}}, "worker": {"autoscaling": {"maxReplicas": 9}}},
    ],
)
def test_an_unrelated_change_replaces_nothing(change: dict[str, Any]) -> None:
    """Monitors, and how many pods there are and when, are no reason to restart anybody."""
    before, after = rendered("ha"), rendered("ha", **change)
    assert [pod.metadata for pod in before.pods()] == [pod.metadata for pod in after.pods()]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_keda_is_told_how_to_wake_only_those_that_sleep(scenario: str) -> None:
    """It warns of both fields where one pod stays."""
    for one in rendered(scenario).of("ScaledObject"):
        sleeps = one["spec"]["minReplicaCount"] == 0
        assert ("pollingInterval" in one["spec"], "cooldownPeriod" in one["spec"]) == (sleeps, sleeps)


@pytest.mark.parametrize("scenario", ["ha", "eks", "l4"])
def test_more_pods_are_no_other_pods(scenario: str) -> None:
    """Who asks for more, or for others by which to scale, keeps those that have loaded their model."""
    before = rendered(scenario)
    numbers = {"replicas": 4, "minReplicas": 3, "maxReplicas": 9, "cpuPercent": 60, "cooldownSeconds": 900}
    engines = yaml.safe_load(Path(scenario_file(scenario)).read_text())["ocr"]["engines"]
    gateway = {"replicas": 4, "autoscaling": {"minReplicas": 4, "maxReplicas": 9, "cpuPercent": 60}}
    after = rendered(scenario, gateway=gateway, ocr={"engines": [one | numbers for one in engines]})
    assert [(pod.name, pod.metadata, pod.spec) for pod in before.pods()] == [
        (pod.name, pod.metadata, pod.spec) for pod in after.pods()
    ]


def test_a_new_version_of_the_chart_alone_replaces_nothing() -> None:
    """Labels that carry it stand on objects, not on pods."""
    for pod in rendered("ha").pods():
        if pod.owner["kind"] == "Deployment":
            assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(pod.labels)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_releases_stand_side_by_side(scenario: str) -> None:
    """In one namespace no object of theirs has the same name, and no selector finds the other's pods."""
    one, other = rendered(scenario), rendered(scenario, release="second")
    both = made(one) & made(other)
    assert {(kind, name) for kind, name in both if kind != "OCRModel"} == set()
    for ours, theirs in ((one, other), (other, one)):
        selectors = [each["spec"]["selector"] for each in ours.of("Service")]
        selectors += [each["spec"]["selector"]["matchLabels"] for each in ours.of("Deployment")]
        assert not [pod.name for pod in theirs.pods() for selector in selectors if finds(selector, pod)]


def test_long_names_stay_within_what_kubernetes_takes() -> None:
    """63 characters, whatever the release is called."""
    rendering = rendered("eks", release="a-release-whose-name-has-as-many-characters-as-it-may")
    for one in rendering.objects:
        assert len(one["metadata"]["name"]) <= 63
        assert all(len(str(value)) <= 63 for value in one["metadata"]["labels"].values())


def test_a_fixed_number_of_gpus_is_not_waited_for() -> None:
    """One pod goes before its follower comes; elsewhere the follower comes first."""
    strategies = {
        one["metadata"]["name"]: one["spec"]["strategy"].get("rollingUpdate")
        for one in rendered("l4").of("Deployment")
    }
    assert strategies["pecia-ocr-l4"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert strategies["pecia-ocr-cpu"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert rendered("l4").one("Deployment", "pecia-ocr-l4")["spec"]["progressDeadlineSeconds"] > 900


@pytest.mark.parametrize("scenario", ALL)
def test_nodes_that_nobody_needs_can_go(scenario: str) -> None:
    """Autoscalers keep a node for a pod's folder unless they are told; jobs' own is not given away."""
    for pod in rendered(scenario).pods():
        told = pod.metadata["annotations"].get(GIVEN_AWAY, "")
        folders = {volume["name"] for volume in pod.spec["volumes"] if "emptyDir" in volume}
        if pod.owner["kind"] == "Deployment":
            assert folders - {"jobs"} <= set(told.split(","))
            assert "jobs" not in told.split(",")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_makes_what_is_written_down(scenario: str) -> None:
    """tests/chart/inventory.yaml names every object, so that a change of the chart shows there."""
    made_now = sorted(f"{one['kind']}/{one['metadata']['name']}" for one in rendered(scenario).objects)
    assert yaml.safe_load(INVENTORY.read_text())[scenario] == made_now


def test_jobs_on_one_volume_are_kept() -> None:
    """One pod writes it at a time, the worker beside the gateway, and the volume outlives the release."""
    rendering = rendered("minimal")
    assert rendering.one("Deployment", "pecia-gateway")["spec"]["strategy"] == {"type": "Recreate"}
    assert [container["name"] for container in rendering.pod("gateway").containers] == ["gateway", "worker"]
    claim = rendering.one("PersistentVolumeClaim", "pecia-jobs")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert {one["metadata"]["name"] for one in rendering.of("Deployment")} == {
        "pecia-gateway",
        "pecia-ocr-cpu",
    }


def test_without_jobs_there_is_no_worker_and_no_volume() -> None:
    """And the gateway says so to who asks."""
    rendering = rendered(jobs={"enabled": False})
    assert rendering.one("ConfigMap", "pecia-gateway")["data"]["PECIA_JOBS__ENABLED"] == "false"
    assert not rendering.of("PersistentVolumeClaim")
    assert [container["name"] for container in rendering.pod("gateway").containers] == ["gateway"]


def test_roles_of_a_cloud_reach_their_accounts() -> None:
    """Pod Identity goes by namespace and name, which are those of the cluster's file; IRSA by annotation."""
    rendering = rendered("eks", namespace="pecia")
    cluster = yaml.safe_load((ROOT / "eks/cluster.yaml").read_text())
    roles = {
        role["serviceAccountName"]
        for role in cluster["iam"]["podIdentityAssociations"]
        if role["namespace"] == "pecia"
    }
    assert roles == {"pecia-gateway", "pecia-worker", "pecia-ocr"}
    assert roles <= {one["metadata"]["name"] for one in rendering.of("ServiceAccount")}
    assert roles <= {pod.spec["serviceAccountName"] for pod in rendering.pods()}
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/pecia-worker"}
    other = rendered("eks", worker={"serviceAccount": {"annotations": role}})
    assert other.one("ServiceAccount", "pecia-worker")["metadata"]["annotations"] == role


def test_images_come_from_where_it_is_said() -> None:
    """Registry, tag and digest; without a tag the chart's own version."""
    images = {c["image"] for pod in rendered("eks").pods() for c in pod.containers}
    assert all(image.startswith("111122223333.dkr.ecr.us-west-2.amazonaws.com/pecia/") for image in images)
    assert all(image.endswith(":0.1.0") for image in images)
    digest = f"sha256:{'0' * 64}"
    pinned = rendered(gateway={"image": {"digest": digest}}, image={"tag": "0.2.0"})
    assert pinned.pod("gateway").containers[0]["image"] == f"pecia/gateway@{digest}"
    assert pinned.pod("ui").containers[0]["image"] == "pecia/ui:0.2.0"
