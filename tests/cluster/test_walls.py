"""The HA values with every wall up: mutual TLS, signed calls, an audit log, and network policies in force."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pecia_identity.authority import Authority

from tests.cluster import backing, walls
from tests.cluster.kubectl import Cluster, until
from tests.cluster.load import Load, Wish, calling
from tests.cluster.release import NAME, Images, Release

_PODS = {"gateway": 2, "ocr-cpu": 2, "worker": 1, "ui": 1, "operator": 1}
_GATEWAY, _PAGE, _OCR = f"{NAME}-gateway:8000", f"{NAME}-ui:8501", f"{NAME}-ocr:50051"
_DATABASE, _BUCKET, _API = "database:5432", "bucket:9000", "kubernetes.default:443"
_DOORS = [_GATEWAY, _PAGE, _OCR, _DATABASE, _BUCKET, _API]
_OPEN = {
    "client": {_GATEWAY, _PAGE, _DATABASE, _BUCKET, _API},
    "stranger": {_DATABASE, _BUCKET, _API},
    "gateway": {_OCR, _DATABASE, _BUCKET},
    "worker": {_OCR, _DATABASE, _BUCKET},
    "ocr-cpu": set[str](),
    "ui": {_GATEWAY},
    "operator": {_API},
}
_LOOKERS: dict[str, dict[str, str]] = {"client": {"pecia.dev/client": "true"}, "stranger": {}}
_OWN_CERTIFICATE = "/etc/pecia/client-tls"
_ENFORCED_S = 30
_ROTATED_S = 300
_MORE = 5
_USED = timedelta(hours=17)


@pytest.fixture(scope="module")
def lookers(cluster: Cluster, images: Images) -> None:
    """Two pods that are none of the release's; skips where policies do nothing."""
    wall = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "wall"},
        "spec": {"podSelector": {"matchLabels": {"walled": "true"}}, "policyTypes": ["Egress"]},
    }
    wanted = _LOOKERS | {"walled": {"walled": "true"}}
    cluster.apply(wall, *(walls.pod(name, images.name("gateway"), labels) for name, labels in wanted.items()))
    cluster(
        "wait", "--for=condition=Ready", "--timeout=5m", *(f"pod/{name}" for name in wanted), timeout_s=330
    )
    api = cluster.elsewhere("default").get("service", "kubernetes") or {}
    door = f"{api['spec']['clusterIP']}:443"
    assert walls.open_doors(cluster, "stranger", [door])
    try:
        until(lambda: not walls.open_doors(cluster, "walled", [door]), "a wall", _ENFORCED_S)
    except TimeoutError:
        pytest.skip("This cluster's network plugin does not enforce NetworkPolicies.")
    cluster("delete", "pod/walled", "networkpolicy/wall", "--wait=false")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whoever signs certificates and calls; those of today have been in use for most of their day."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.renew(datetime.now(UTC) - _USED)
    return made


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None, definition: None, authority: Authority) -> Release:
    """The HA values, with two of what they have three of."""
    backing.start(cluster)
    walls.hand_out(cluster, authority)
    walls.other_keys(cluster)
    peers = [
        value
        for at, (name, port) in enumerate({"database": 5432, "bucket": 9000}.items())
        for value in (
            f"networkPolicy.privatePeers[{at}].cidr={address(cluster, name)}/32",
            f"networkPolicy.privatePeers[{at}].ports[0]={port}",
        )
    ]
    release = Release(cluster, images, "ha", ["small", "walls"])
    release.upgrade(*peers)
    release.all_settled(_PODS)
    return release


def address(cluster: Cluster, name: str) -> str:
    """Of the pod behind one of the tests' own Services."""
    (found,) = cluster.all("pods", f"app.kubernetes.io/name={name}")
    return str(found["status"]["podIP"])


def first(release: Release, component: str) -> str:
    """The name of one of its pods."""
    return str(release.pods(component)[0]["metadata"]["name"])


def test_a_picture_is_read_behind_all_walls(release: Release) -> None:
    """`helm test`: from the test's pod to the gateway, and from there with certificate and signature."""
    assert "Succeeded" in release.test()


def test_jobs_are_read_behind_all_walls(
    cluster: Cluster, images: Images, release: Release, show: Callable[[object], None]
) -> None:
    """Database, bucket, worker and ocr service reach each other."""
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", Wish("jobs", callers=1)) as load:
        load.end()
        said = load.said()
    show(said)
    assert said.read
    assert said.lost == []


@pytest.mark.parametrize("where", _OPEN)
def test_doors(cluster: Cluster, lookers: None, release: Release, where: str) -> None:
    """What each pod reaches: what docs/chart.md says, and nothing else. Names it can ask for everywhere."""
    pod = where if where in _LOOKERS else first(release, where)
    assert walls.open_doors(cluster, pod, _DOORS) == _OPEN[where]


def test_only_a_certificate_is_heard(cluster: Cluster, release: Release) -> None:
    """The ocr service answers who shows one of its authority's, and nobody else."""
    gateway = first(release, "gateway")
    ocr = str(release.pods("ocr-cpu")[0]["status"]["podIP"])
    assert walls.greet(cluster, gateway, ocr, "pecia-ocr", _OWN_CERTIFICATE)["heard"]
    assert not walls.greet(cluster, gateway, ocr, "pecia-ocr")["heard"]


@pytest.fixture
def load(cluster: Cluster, images: Images, release: Release) -> Iterator[Load]:
    """Callers of pictures, each of whom asks anew."""
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", Wish("pictures", callers=2)) as load:
        load.more(_MORE)
        yield load


def test_certificates_and_signing_keys_change(
    cluster: Cluster,
    release: Release,
    authority: Authority,
    load: Load,
    show: Callable[[object], None],
) -> None:
    """Secrets are replaced under load: pods take them up without a restart, and nobody is lost."""
    gateway = first(release, "gateway")
    pods = release.pods("ocr-cpu")
    started = release.started()

    def shown() -> set[str]:
        addresses = [str(pod["status"]["podIP"]) for pod in pods]
        return {
            str(walls.greet(cluster, gateway, one, "pecia-ocr", _OWN_CERTIFICATE)["serial"])
            for one in addresses
        }

    (former,) = shown()
    assert "certificates" in authority.renew()
    walls.hand_out(cluster, authority)
    until(lambda: len(shown()) == 1 and former not in shown(), "new certificates", _ROTATED_S)
    load.more(_MORE)
    load.end()
    said = load.said()
    show(said)
    assert said.lost == []
    assert release.started() == started
