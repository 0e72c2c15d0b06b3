"""The cluster on EKS as it is written: eksctl's own schema, what that lets through, and who may do what."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from yamllint import config, linter

ROOT = Path(__file__).parents[1]
EKS = ROOT / "eks"
CLUSTER = yaml.safe_load((EKS / "cluster.yaml").read_text())
SCHEMA = json.loads((ROOT / "tests/eksctl/schema.json").read_text())
YAML = sorted(EKS.rglob("*.yaml"))


def schema_errors(cluster: object) -> list[str]:
    """What eksctl would say."""
    return [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(cluster)]


def groups(cluster: dict[str, Any] = CLUSTER) -> dict[str, dict[str, Any]]:
    """Node groups by name."""
    return {group["name"]: group for group in cluster["managedNodeGroups"]}


def gpu_group(cluster: dict[str, Any] = CLUSTER) -> dict[str, Any]:
    """The node group with GPUs."""
    return next(group for name, group in groups(cluster).items() if name.startswith("gpu-"))


def test_eksctl_understands_the_cluster() -> None:
    """Its own schema finds no fault."""
    assert schema_errors(CLUSTER) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("desiredCapacty", 1), ("minSize", "0"), ("taints", {"nvidia.com/gpu": "true:NoSchedule"})],
)
def test_the_schema_finds_what_is_wrong(key: str, value: object) -> None:
    """A misspelt key, a number as text and taints of another shape do not pass."""
    wrong = copy.deepcopy(CLUSTER)
    gpu_group(wrong)[key] = value
    assert schema_errors(wrong)


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(ROOT)))
def test_yaml_is_clean(path: Path) -> None:
    """No key twice, no tabs, no trailing spaces, and as wide as the code."""
    rules = config.YamlLintConfig(
        "{extends: default, rules: {line-length: {max: 120}, document-start: disable, "
        "comments: {min-spaces-from-content: 1}, truthy: {check-keys: false}}}"
    )
    assert [str(problem) for problem in linter.run(path.read_text(), rules)] == []


def test_every_node_is_private_and_has_no_ssh() -> None:
    """Private subnets, no SSH key, no older metadata service, no node's role for pods, encrypted disks."""
    for name, group in groups().items():
        assert group["privateNetworking"] is True, name
        assert "ssh" not in group, name
        assert group["disableIMDSv1"] is True, name
        assert group["disablePodIMDS"] is True, name
        assert group["volumeEncrypted"] is True, name
        # Policies named here would replace eksctl's own, Session Manager's among them.
        assert "iam" not in group, name


def test_the_gpu_group_starts_at_zero() -> None:
    """One L4 a node, none to begin with, 100 GB gp3, and only pods that tolerate the taint."""
    group = gpu_group()
    assert group["instanceTypes"] == ["g6.xlarge"]
    assert (group["minSize"], group["desiredCapacity"]) == (0, 0)
    assert (group["volumeSize"], group["volumeType"]) == (100, "gp3")
    assert group["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
    assert {taint["effect"] for taint in group["taints"]} <= {"NoSchedule", "PreferNoSchedule", "NoExecute"}


def test_the_autoscaler_sees_a_group_without_nodes() -> None:
    """Labels and taints become tags of the group; the label that marks GPU nodes is the autoscaler's own."""
    group = gpu_group()
    assert group["propagateASGTags"] is True
    assert group["labels"]["k8s.amazonaws.com/accelerator"] == "nvidia-l4"
    assert group["labels"]["nvidia.com/gpu.present"] == "true"


def test_other_nodes_take_everything_else() -> None:
    """At least two, in two zones or more, without a taint."""
    system = groups()["system"]
    assert system["minSize"] >= 2
    assert "taints" not in system
    assert len(CLUSTER["availabilityZones"]) >= 2
    assert CLUSTER["vpc"]["nat"]["gateway"] != "Disable"


def test_addons_are_all_there() -> None:
    """What the chart stands on, the network policies' switch among them."""
    addons = {addon["name"]: addon for addon in CLUSTER["addons"]}
    assert set(addons) == {
        "vpc-cni",
        "coredns",
        "kube-proxy",
        "eks-pod-identity-agent",
        "metrics-server",
        "aws-ebs-csi-driver",
        "aws-mountpoint-s3-csi-driver",
        "amazon-cloudwatch-observability",
    }
    assert json.loads(addons["vpc-cni"]["configurationValues"]) == {"enableNetworkPolicy": "true"}


def test_access_is_written_down() -> None:
    """Who runs commands in pods is in the log, and rights are given by access entries alone."""
    assert "audit" in CLUSTER["cloudWatch"]["clusterLogging"]["enableTypes"]
    assert CLUSTER["accessConfig"]["authenticationMode"] == "API"


def associations() -> Iterator[dict[str, Any]]:
    """Roles of pods, those of addons included."""
    yield from CLUSTER["iam"]["podIdentityAssociations"]
    for addon in CLUSTER["addons"]:
        yield from addon.get("podIdentityAssociations", ())


def test_each_pod_has_a_role_of_its_own() -> None:
    """Nobody shares a service account, and the ones that are needed are there."""
    names = [(one["namespace"], one["serviceAccountName"]) for one in associations()]
    assert len(names) == len(set(names))
    assert set(names) >= {
        ("kube-system", "aws-load-balancer-controller"),
        ("kube-system", "cluster-autoscaler"),
        ("external-secrets", "external-secrets"),
        ("amazon-cloudwatch", "cloudwatch-agent"),
        ("pecia", "pecia-ocr"),
        ("pecia", "pecia-gateway"),
        ("pecia", "pecia-worker"),
    }


def policies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document, with where it stands."""
    for path in sorted((EKS / "iam").glob("*.json")):
        yield path.name, json.loads(path.read_text())
    for one in associations():
        if "permissionPolicy" in one:
            yield one["serviceAccountName"], one["permissionPolicy"]


POLICIES = list(policies())


def listed(value: str | list[str]) -> list[str]:
    """IAM takes one or several."""
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize(("name", "policy"), POLICIES, ids=[name for name, _ in POLICIES])
def test_a_policy_grants_what_it_names(name: str, policy: dict[str, Any]) -> None:
    """Actions are written out, nothing is denied by leaving out, and account ids stand nowhere."""
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource", "Principal"} & set(statement)
        for action in listed(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9]+:[A-Za-z0-9]+", action), f"{name}: {action}"
        for resource in listed(statement["Resource"]):
            assert resource == "*" or resource.startswith("arn:aws:"), f"{name}: {resource}"
    assert not re.search(r"\d{12}", json.dumps(policy))


@pytest.mark.parametrize(("name", "policy"), POLICIES, ids=[name for name, _ in POLICIES])
def test_what_is_changed_is_narrowed(name: str, policy: dict[str, Any]) -> None:
    """Secrets, objects, roles and images are never named by `*`; a pod's role changes nothing so named."""
    for statement in policy["Statement"]:
        if "*" not in listed(statement["Resource"]) or "Condition" in statement:
            continue
        for action in listed(statement["Action"]):
            service, verb = action.split(":")
            assert service not in {"s3", "iam", "secretsmanager", "logs", "ssm"} or name == "verify.json", (
                action
            )
            if not name.endswith(".json"):
                assert verb.startswith(("Describe", "Get")), f"{name}: {action}"


def test_the_one_who_verifies_only_looks() -> None:
    """eks/iam/verify.json holds nothing that changes anything."""
    policy = json.loads((EKS / "iam/verify.json").read_text())
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    assert all(action.split(":")[1].startswith("Describe") for action in actions)


def test_pods_read_weights_and_write_only_jobs() -> None:
    """The ocr service writes nowhere; gateway and workers reach one bucket."""
    roles = {one["serviceAccountName"]: one.get("permissionPolicy", {}) for one in associations()}
    ocr = json.dumps(roles["pecia-ocr"])
    assert "s3:GetObject" in ocr
    assert "Put" not in ocr
    assert "Delete" not in ocr
    for name in ("pecia-gateway", "pecia-worker"):
        resources = [r for s in roles[name]["Statement"] for r in listed(s["Resource"])]
        assert set(resources) == {"arn:aws:s3:::pecia-jobs", "arn:aws:s3:::pecia-jobs/*"}


def charts() -> list[list[str]]:
    """Rows of eks/charts.tsv."""
    lines = (EKS / "charts.tsv").read_text().splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_charts_are_pinned_and_have_their_values() -> None:
    """An exact version, https, and a file of values each; no file of values that nothing uses."""
    for release, _, repository, _, version, _ in charts():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), release
        assert repository.startswith("https://"), release
    assert {row[0] for row in charts()} == {path.stem for path in (EKS / "values").glob("*.yaml")}


def test_charts_use_the_service_accounts_that_have_roles() -> None:
    """A role is of no use to a pod of another name."""
    named = {(one["namespace"], one["serviceAccountName"]) for one in associations()}
    for release, namespace, *_ in charts():
        values = yaml.safe_load((EKS / f"values/{release}.yaml").read_text())
        account = values.get("serviceAccount") or (values.get("rbac") or {}).get("serviceAccount") or {}
        if "name" in account:
            assert (namespace, account["name"]) in named, release


def test_the_device_plugin_runs_on_gpu_nodes() -> None:
    """It tolerates their taint, and shares no GPU among pods."""
    values = yaml.safe_load((EKS / "values/nvidia-device-plugin.yaml").read_text())
    taint = gpu_group()["taints"][0]
    assert {"key": taint["key"], "operator": "Exists", "effect": taint["effect"]} in values["tolerations"]
    assert "config" not in values


def test_the_autoscaler_is_of_the_clusters_version() -> None:
    """One minor version, as its makers ask."""
    tag = yaml.safe_load((EKS / "values/cluster-autoscaler.yaml").read_text())["image"]["tag"]
    assert tag.startswith(f"v{CLUSTER['metadata']['version']}.")


def test_no_account_id_is_in_the_repository() -> None:
    """Neither in the files of the cluster nor in the scripts."""
    for path in [*EKS.rglob("*"), *(ROOT / "scripts").glob("*.sh")]:
        if path.is_file():
            assert not re.search(r"(?<![\d.])\d{12}(?!\d)", path.read_text()), path
