"""The backend's Secret comes out of AWS Secrets Manager, by external-secrets, and from nowhere else."""

import base64
import os
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest
import yaml

from tests.cluster import backing
from tests.cluster.kubectl import ROOT, Cluster, Thing, is_ready, until
from tests.cluster.load import Wish, calling
from tests.cluster.release import NAME, Images, Release
from tests.cluster.vault import Vault

_KIND = "externalsecrets.external-secrets.io"
_STORE = ROOT / "eks/secret-store.yaml"
_DOCUMENT = ROOT / "docs/troubleshoot.md"
_SECRET = f"{NAME}-backend"
_PODS = {"gateway": 2, "worker": 2, "ocr-cpu": 2}
_THEIRS = ("gateway", "worker")
_MISSING = "filot/redis-password"
_CHANGED = "filot/buli2-api-url"
# Of a system that is not there: the worker takes nothing in, and nothing is reviewed.
_OF_OTHERS = {
    "REDIS_URL": "redis://list.invalid:6379/0",
    "REDIS_PASSWORD": "of nobody",
    "BULI2_API_URL": "http://reviews.invalid",
    "BULI2_CALLBACK_URL": "http://pecia.invalid",
}
_SYNCED_S = 120
_STARTED_S = 600


def chosen() -> dict[str, str]:
    """What the chart fetches by default: names in Secrets Manager by keys of the Secret."""
    values = yaml.safe_load((ROOT / "helm/pecia/values.yaml").read_text())["secrets"]["externalSecrets"]
    return {key: values["prefix"] + name for key, name in values["names"].items()}


@pytest.fixture(scope="module")
def template() -> Thing:
    """The store as eks/up.sh makes it."""
    return dict(yaml.safe_load(_STORE.read_text()))


@pytest.fixture(scope="module")
def vault(cluster: Cluster, template: Thing) -> Iterator[Vault]:
    """Secrets Manager of the store's region; what the tests wrote there goes again."""
    endpoint = os.environ.get("PECIA_TEST_SECRETS_MANAGER", "")
    if not endpoint:
        pytest.skip("PECIA_TEST_SECRETS_MANAGER names no Secrets Manager where the tests may write filot/...")
    if not cluster.get("customresourcedefinition", _KIND):
        pytest.skip(f"This cluster has no external-secrets: {_KIND} is not defined.")
    vault = Vault(endpoint, template["spec"]["provider"]["aws"]["region"])
    yield vault
    vault.remove(*chosen().values())


@pytest.fixture(scope="module")
def store(vault: Vault, cluster: Cluster, template: Thing) -> Iterator[str]:
    """It, by a name of the tests' own: external-secrets has rights and address of Secrets Manager itself."""
    name = cluster.namespace
    cluster.apply({**template, "metadata": {"name": name}})
    cluster("wait", "--for=condition=Ready", f"clustersecretstore/{name}", "--timeout=60s")
    yield name
    cluster("delete", "clustersecretstore", name)


@pytest.fixture(scope="module")
def known(cluster: Cluster, vault: Vault) -> dict[str, str]:
    """Database and bucket run, and all nine secrets are in Secrets Manager and nowhere in the cluster."""
    backing.start(cluster)
    values = fetched(cluster) | _OF_OTHERS
    cluster("delete", "secret", _SECRET)
    vault.put({name: values[key] for key, name in chosen().items()})
    return values


@pytest.fixture(scope="module")
def release(
    cluster: Cluster, images: Images, keys: None, vault: Vault, store: str, known: dict[str, str]
) -> Release:
    """The CPU values with jobs in PostgreSQL, begun while one secret is missing."""
    vault.remove(_MISSING)
    release = Release(cluster, images, "cpu", ["small", "external", "fetched"])
    release.begin(f"secrets.externalSecrets.storeName={store}")
    return release


def fetched(cluster: Cluster) -> dict[str, str]:
    """What is in the backend's Secret; nothing where there is none."""
    data = (cluster.get("secret", _SECRET) or {"data": {}})["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def told(cluster: Cluster) -> tuple[str, str]:
    """Whether the ExternalSecret is ready, and the reason."""
    found = cluster.get("externalsecret", _SECRET) or {}
    conditions = found.get("status", {}).get("conditions", [])
    return next(((one["status"], one["reason"]) for one in conditions if one["type"] == "Ready"), ("", ""))


def is_listed(cluster: Cluster, words: str, name: str = "") -> bool:
    """Whether an event of the ExternalSecret says so of that name; the words stand in the document."""
    assert words in _DOCUMENT.read_text()
    events = [one for one in cluster.all("events") if one["involvedObject"]["kind"] == "ExternalSecret"]
    return any(words in one["message"] and name in one["message"] for one in events)


def look_now(cluster: Cluster) -> None:
    """In the words of docs/operate.md."""
    cluster("annotate", "externalsecret", "--all", f"force-sync={time.time_ns()}", "--overwrite")


def environment(cluster: Cluster, deployment: str, name: str) -> str:
    """Of the process in one of its pods."""
    return cluster("exec", f"deployment/{deployment}", "--", "printenv", name).strip()


def restarts(pods: list[Thing]) -> int:
    """Of all their containers."""
    return sum(int(status["restartCount"]) for pod in pods for status in pod["status"]["containerStatuses"])


def test_one_that_is_missing_is_told_of(cluster: Cluster, release: Release) -> None:
    """The ExternalSecret says SecretSyncedError, an event names it, and nobody starts without."""
    until(lambda: told(cluster) == ("False", "SecretSyncedError"), "its condition", _SYNCED_S)
    until(lambda: is_listed(cluster, "Secret does not exist", _MISSING), "an event", _SYNCED_S)
    assert fetched(cluster) == {}

    def waiting() -> bool:
        statuses = [
            status["state"].get("waiting", {})
            for component in _THEIRS
            for pod in release.pods(component)
            for status in pod["status"].get("containerStatuses", [])
        ]
        said = {
            (one.get("reason"), f'secret "{_SECRET}" not found' == one.get("message")) for one in statuses
        }
        return said == {("CreateContainerConfigError", True)}

    until(waiting, "CreateContainerConfigError of gateways and workers", _STARTED_S)


def test_all_nine_are_fetched(
    cluster: Cluster, images: Images, release: Release, vault: Vault, known: dict[str, str]
) -> None:
    """Once it is there, pods start by themselves, none twice, and a job is read."""
    vault.put({_MISSING: known["REDIS_PASSWORD"]})
    look_now(cluster)
    pods = release.all_settled(_PODS)
    assert told(cluster) == ("True", "SecretSynced")
    assert fetched(cluster) == {key: known[key] for key in chosen()}
    made = cast("Thing", cluster.get("secret", _SECRET))["metadata"]
    assert [owner["kind"] for owner in made["ownerReferences"]] == ["ExternalSecret"]
    assert restarts(pods) == 0
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", Wish("jobs", callers=1)) as load:
        load.end()
        said = load.said()
    assert said.read
    assert said.lost == []


def test_a_changed_one_arrives(
    cluster: Cluster, release: Release, vault: Vault, show: Callable[[object], None]
) -> None:
    """As docs/operate.md says: in the cluster when told to look, in the pods when they start anew."""
    before = environment(cluster, f"{NAME}-worker", "BULI2_API_URL")
    vault.put({_CHANGED: "http://others.invalid"})
    asked = time.monotonic()
    look_now(cluster)
    until(lambda: fetched(cluster)["BULI2_API_URL"] == "http://others.invalid", "the new value", _SYNCED_S)
    show(f"{time.monotonic() - asked:.0f} s to the cluster")
    assert environment(cluster, f"{NAME}-worker", "BULI2_API_URL") == before
    cluster("rollout", "restart", f"deployment/{NAME}-worker")
    cluster("rollout", "status", f"deployment/{NAME}-worker", "--timeout=10m", timeout_s=660)
    assert environment(cluster, f"{NAME}-worker", "BULI2_API_URL") == "http://others.invalid"


def test_one_that_goes_takes_nothing_along(cluster: Cluster, release: Release, vault: Vault) -> None:
    """What was fetched stays, and pods go on; the condition says that it is not what Secrets Manager has."""
    before = fetched(cluster)
    vault.remove(_MISSING)
    look_now(cluster)
    until(lambda: told(cluster) == ("False", "SecretSyncedError"), "its condition", _SYNCED_S)
    assert fetched(cluster) == before
    assert all(is_ready(pod) for pod in release.pods())


def test_those_not_used_are_left_out(cluster: Cluster, release: Release, store: str) -> None:
    """With null for its name, nobody asks for it any more."""
    names = "secrets.externalSecrets.names"
    release.upgrade(f"secrets.externalSecrets.storeName={store}", f"{names}.REDIS_PASSWORD=null")
    until(lambda: told(cluster) == ("True", "SecretSynced"), "its condition", _SYNCED_S)
    assert set(fetched(cluster)) == set(chosen()) - {"REDIS_PASSWORD"}


def test_a_store_that_is_not_there_is_told_of(cluster: Cluster, release: Release) -> None:
    """In the words that docs/troubleshoot.md lists."""
    release.begin("secrets.externalSecrets.storeName=nowhere")
    until(lambda: told(cluster) == ("False", "SecretSyncedError"), "its condition", _SYNCED_S)
    until(lambda: is_listed(cluster, "could not get ClusterSecretStore"), "an event", _SYNCED_S)


def test_the_secret_goes_with_the_release(cluster: Cluster, release: Release) -> None:
    """It was made by the ExternalSecret, and is taken away with it."""
    release.uninstall()
    until(lambda: cluster.get("secret", _SECRET) is None, "the Secret's end", _SYNCED_S)
