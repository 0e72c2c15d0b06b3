"""The load balancer that AWS' controller makes of the chart's two Ingresses, seen from the account's side.

`PECIA_TEST_AWS_ENDPOINT` is the account's API, which the cluster's controller uses as well. Where its load
balancers carry requests, `PECIA_TEST_BALANCER` is the host at which the one of the tests is called.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.account import Account, Balancer, Rule
from tests.cluster.kubectl import Cluster, Thing, is_ready, until
from tests.cluster.load import Wish, calling
from tests.cluster.release import NAME, Images, Release

_API, _PAGE = f"{NAME}-gateway", f"{NAME}-ui"
_HOSTS = {_API: "ocr.example.com", _PAGE: "read.example.com"}
_NAMED = (f"ingress.apiHost={_HOSTS[_API]}", f"ingress.uiHost={_HOSTS[_PAGE]}")
_CODES = "alb.ingress.kubernetes.io/success-codes"
_GATE = "target-health.elbv2.k8s.aws"
_LABEL = "elbv2.k8s.aws/pod-readiness-gate-inject=enabled"
_REST = Rule((), (), "404")
_SETTLED_S = 180
_STARTED_S = 900
_HELD_S = 45
_BEFORE = 5


@pytest.fixture(scope="module")
def account(cluster: Cluster) -> Account:
    """The account in which the cluster's controller makes load balancers."""
    endpoint = os.environ.get("PECIA_TEST_AWS_ENDPOINT", "")
    if not endpoint:
        pytest.skip("PECIA_TEST_AWS_ENDPOINT names no account whose load balancers could be looked at.")
    if not cluster.get("ingressclass", "alb"):
        pytest.skip("The cluster has no IngressClass `alb`: AWS' load balancer controller is not there.")
    return Account(endpoint)


@pytest.fixture(scope="module")
def before(account: Account) -> set[str]:
    """What the account had before the chart came."""
    return account.made()


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None, before: set[str]) -> Release:
    """The CPU values behind a load balancer, in a namespace whose pods wait for it."""
    cluster("label", "namespace", cluster.namespace, _LABEL)
    release = Release(cluster, images, "cpu", ["small", "stateless", "balanced"])
    release.upgrade()
    return release


@pytest.fixture
def balancer(cluster: Cluster, account: Account, release: Release) -> Balancer:
    """The load balancer of the release, found as people find it: by the Ingresses' address."""

    def look() -> Balancer | None:
        names = addresses(cluster)
        return account.balancer(names.pop()) if len(names) == 1 else None

    return until(look, "one load balancer for both Ingresses", _SETTLED_S)  # type: ignore[return-value]


@pytest.fixture
def sealed(account: Account, release: Release, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """ARNs of a certificate for both names and of a firewall; the release has neither before or after."""
    with account.certificate(tmp_path, *_HOSTS.values()) as certificate, account.firewall() as firewall:
        yield certificate, firewall
        release.upgrade("ingress.alb.wafAclArn=none")


def addresses(cluster: Cluster) -> set[str]:
    """Where the Ingresses say they are called; empty for one that has no address yet."""
    found = [one["status"]["loadBalancer"].get("ingress", [{}]) for one in cluster.all("ingresses")]
    return {str(said[0].get("hostname", "")) for said in found}


def becomes(look: Callable[[], Any], wanted: object) -> None:
    """The controller brings it about in a while."""
    end = time.monotonic() + _SETTLED_S
    while (seen := look()) != wanted and time.monotonic() < end:
        time.sleep(2)
    assert seen == wanted


def groups_of(cluster: Cluster) -> dict[str, str]:
    """ARNs of target groups by the Service whose pods they have."""
    found = cluster.all("targetgroupbindings.elbv2.k8s.aws")
    return {str(one["spec"]["serviceRef"]["name"]): str(one["spec"]["targetGroupARN"]) for one in found}


def places(release: Release, component: str, port: int) -> dict[str, str]:
    """The component's pods as a target group has them when all is well."""
    return {f"{pod['status']['podIP']}:{port}": "healthy" for pod in release.pods(component)}


def served(balancer: Balancer, group: str) -> dict[str, str]:
    """A group's targets, without those that are leaving."""
    return {place: how for place, how in balancer.targets(group).items() if how != "draining"}


def gates(pod: Thing) -> list[str]:
    """What of the load balancer a pod waits for before it counts as ready."""
    said = [str(one["conditionType"]) for one in pod["spec"].get("readinessGates", [])]
    return [one for one in said if one.startswith(_GATE)]


def is_refused(pod: Thing) -> bool:
    """Whether the kubelet found its containers ready and the load balancer found fault with it."""
    said = {str(one["type"]): one for one in pod["status"].get("conditions", [])}
    if said.get("ContainersReady", {}).get("status") != "True":
        return False
    return any(str(said.get(gate, {}).get("reason", "")).startswith("Target.") for gate in gates(pod))


def names(pods: list[Thing]) -> set[str]:
    """Of pods."""
    return {str(pod["metadata"]["name"]) for pod in pods}


def test_one_load_balancer_for_both(balancer: Balancer) -> None:
    """As the chart describes it: facing the internet, in two zones, ten silent minutes, open to all."""
    assert balancer.described["Scheme"] == "internet-facing"
    assert balancer.described["Type"] == "application"
    assert len(balancer.described["AvailabilityZones"]) >= len(("one", "another"))
    said = balancer.attributes()
    assert said["idle_timeout.timeout_seconds"] == "600"
    assert said["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert balancer.callers() == {(8000, "0.0.0.0/0"), (8501, "0.0.0.0/0")}


def test_without_a_certificate_two_plain_ports(cluster: Cluster, balancer: Balancer) -> None:
    """8000 is the API, and what it counts is not told; 8501 is the page."""
    groups = groups_of(cluster)
    assert balancer.protocols() == {8000: "HTTP", 8501: "HTTP"}
    assert balancer.rules() == {
        8000: [
            Rule((), ("/metrics", "/metrics/*"), "404"),
            Rule((), ("/*",), groups[_API]),
            _REST,
        ],
        8501: [Rule((), ("/*",), groups[_PAGE]), _REST],
    }


@pytest.mark.parametrize(
    ("component", "port", "path"), [("gateway", 8000, "/health"), ("ui", 8501, "/_stcore/health")]
)
def test_targets_are_pods(
    cluster: Cluster, release: Release, balancer: Balancer, component: str, port: int, path: str
) -> None:
    """All that are ready, by their own addresses, asked every ten seconds; two failures take one out."""
    arn = groups_of(cluster)[f"{NAME}-{component}"]
    (group,) = [one for one in balancer.groups() if one["TargetGroupArn"] == arn]
    assert (group["TargetType"], group["Protocol"]) == ("ip", "HTTP")
    assert (group["HealthCheckProtocol"], group["HealthCheckPath"]) == ("HTTP", path)
    assert (group["HealthCheckIntervalSeconds"], group["HealthCheckTimeoutSeconds"]) == (10, 5)
    assert (group["HealthyThresholdCount"], group["UnhealthyThresholdCount"]) == (2, 2)
    assert group["Matcher"] == {"HttpCode": "200"}
    becomes(lambda: served(balancer, arn), places(release, component, port))


def test_who_stays_and_for_how_long(cluster: Cluster, release: Release, balancer: Balancer) -> None:
    """Visitors of the page stay on their pod; a gateway that leaves has as long as its pod drains."""
    groups = groups_of(cluster)
    api, page = (balancer.group_attributes(groups[name]) for name in (_API, _PAGE))
    assert api["load_balancing.algorithm.type"] == "least_outstanding_requests"
    assert api["stickiness.enabled"] == "false"
    pod = release.pods("gateway")[0]["spec"]
    leaves = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert int(api["deregistration_delay.timeout_seconds"]) == pod["terminationGracePeriodSeconds"] - leaves
    assert (page["stickiness.enabled"], page["stickiness.type"]) == ("true", "lb_cookie")
    assert page["stickiness.lb_cookie.duration_seconds"] == "86400"
    assert page["deregistration_delay.timeout_seconds"] == "30"


def test_with_a_certificate_all_speak_tls(
    cluster: Cluster, release: Release, balancer: Balancer, sealed: tuple[str, str]
) -> None:
    """443 serves both by their names and the old ports too; the same load balancer, now behind a firewall."""
    certificate, firewall = sealed
    said = (f"ingress.alb.certificateArn={certificate}", f"ingress.alb.wafAclArn={firewall}", *_NAMED)
    release.upgrade(*said)
    becomes(balancer.protocols, {443: "HTTPS", 8000: "HTTPS", 8501: "HTTPS"})
    for listener in balancer.listeners().values():
        assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
        assert [one["CertificateArn"] for one in listener["Certificates"]] == [certificate]
    groups = groups_of(cluster)
    page = Rule((_HOSTS[_PAGE],), ("/*",), groups[_PAGE])
    inside = Rule((_HOSTS[_API],), ("/metrics", "/metrics/*"), "404")
    api = Rule((_HOSTS[_API],), ("/*",), groups[_API])
    becomes(
        balancer.rules,
        {443: [page, inside, api, _REST], 8000: [inside, api, _REST], 8501: [page, _REST]},
    )
    becomes(balancer.firewall, firewall)
    assert addresses(cluster) == {balancer.described["DNSName"]}

    release.upgrade(*said, "ingress.alb.plainPorts=true")
    becomes(balancer.protocols, {443: "HTTPS", 8000: "HTTP", 8501: "HTTP"})


def test_a_firewall_is_taken_away_by_saying_so(
    release: Release, balancer: Balancer, account: Account
) -> None:
    """Without a value the controller leaves the load balancer as it is; `none` takes the firewall away."""
    with account.firewall() as firewall:
        release.upgrade(f"ingress.alb.wafAclArn={firewall}")
        becomes(balancer.firewall, firewall)
        release.upgrade("ingress.alb.wafAclArn=none")
        becomes(balancer.firewall, "")


def test_a_changed_value_changes_it(cluster: Cluster, release: Release, balancer: Balancer) -> None:
    """Silence, callers, visitors and ports, on the same load balancer; and back again."""
    release.upgrade(
        "ingress.alb.idleTimeoutSeconds=700",
        "ingress.alb.inboundCidrs={192.0.2.0/24}",
        "ingress.alb.stickySeconds=3600",
        "ingress.alb.apiPort=8080",
    )
    becomes(balancer.protocols, {8080: "HTTP", 8501: "HTTP"})
    becomes(balancer.callers, {(8080, "192.0.2.0/24"), (8501, "192.0.2.0/24")})
    becomes(lambda: balancer.attributes()["idle_timeout.timeout_seconds"], "700")
    page = groups_of(cluster)[_PAGE]
    becomes(lambda: balancer.group_attributes(page)["stickiness.lb_cookie.duration_seconds"], "3600")
    release.upgrade()
    becomes(balancer.protocols, {8000: "HTTP", 8501: "HTTP"})
    becomes(balancer.callers, {(8000, "0.0.0.0/0"), (8501, "0.0.0.0/0")})
    assert addresses(cluster) == {balancer.described["DNSName"]}


def test_an_upgrade_under_callers(
    cluster: Cluster, images: Images, release: Release, balancer: Balancer, show: Callable[[object], None]
) -> None:
    """Every pod waits until the load balancer has seen it, the former ones stay that long: 0 lost."""
    former = release.pods("gateway")
    host = os.environ.get("PECIA_TEST_BALANCER", _API)
    with calling(cluster, images.name("gateway"), host, Wish("pictures", callers=3)) as load:
        load.more(_BEFORE)
        release.upgrade("logLevel=DEBUG")
        pods = release.settled("gateway", len(former)) + release.settled("ui", 1)
        load.more(_BEFORE)
        load.end()
        said = load.said()
    show(f"by {host}: {said}")
    assert said.lost == []
    assert not names(former) & names(pods)
    assert [len(gates(pod)) for pod in pods] == [1] * len(pods)
    becomes(lambda: served(balancer, groups_of(cluster)[_API]), places(release, "gateway", 8000))


@pytest.fixture
def unusable(cluster: Cluster, balancer: Balancer) -> Iterator[None]:
    """A load balancer that wants another answer of gateways than they give, as long as the test lasts."""
    group = groups_of(cluster)[_API]
    cluster("annotate", "ingress", f"{NAME}-api", f"{_CODES}=299", "--overwrite")
    try:
        until(lambda: "unhealthy" in balancer.targets(group).values(), "an unhealthy target", _SETTLED_S)
    except TimeoutError:
        pytest.skip("This account calls every target healthy without asking it.")
    else:
        yield
    finally:
        cluster("annotate", "ingress", f"{NAME}-api", f"{_CODES}=200", "--overwrite")


def test_pods_that_the_load_balancer_cannot_use_hold_a_rollout_back(
    cluster: Cluster, release: Release, unusable: None
) -> None:
    """The new one has ready containers and waits behind its gate, and no former one is told to go."""
    former = names(release.pods("gateway"))
    cluster("rollout", "restart", f"deployment/{_API}")

    def look() -> list[Thing]:
        pods = [pod for pod in release.pods("gateway") if is_refused(pod)]
        return [pod for pod in pods if str(pod["metadata"]["name"]) not in former]

    (new,) = until(look, "a new pod with which the load balancer finds fault", _STARTED_S)
    time.sleep(_HELD_S)
    now = release.pods("gateway")
    assert names(now) == former | names([new])
    assert [is_ready(pod) for pod in now if names([pod]) == names([new])] == [False]


def test_it_goes_on_when_they_are_healthy(cluster: Cluster, release: Release) -> None:
    """Without anybody's doing, and no pod of before is left."""
    cluster("rollout", "status", f"deployment/{_API}", "--timeout=15m", timeout_s=960)
    pods = release.settled("gateway", 2)
    restarted = "kubectl.kubernetes.io/restartedAt"
    assert all(restarted in pod["metadata"]["annotations"] for pod in pods)
    assert all(gates(pod) for pod in pods)


def test_nothing_is_left_in_the_account(account: Account, release: Release, before: set[str]) -> None:
    """`helm uninstall` waits for the Ingresses, and they for the load balancer's end."""
    assert account.made() - before, "there was nothing that could be left"
    release.uninstall()
    until(lambda: not account.made() - before, "the end of what the controller made", _SETTLED_S)
