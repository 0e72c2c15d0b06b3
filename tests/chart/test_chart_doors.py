"""Who reaches what: the load balancer's annotations, plain Ingresses, network policies."""

import json
import re
from typing import Any

import pytest

from tests.chart.rendering import SCENARIOS, Rendering, rendered

PREFIX = "alb.ingress.kubernetes.io/"
# The controller's own list (docs/guide/ingress/annotations.md), without those for authentication.
KNOWN = {
    *("load-balancer-name", "group.name", "group.order", "tags", "ip-address-type", "scheme", "subnets"),
    *("security-groups", "load-balancer-attributes", "wafv2-acl-arn", "shield-advanced-protection"),
    *("listen-ports", "ssl-redirect", "inbound-cidrs", "certificate-arn", "ssl-policy", "target-type"),
    *("backend-protocol", "backend-protocol-version", "target-group-attributes", "healthcheck-port"),
    *("healthcheck-protocol", "healthcheck-path", "healthcheck-interval-seconds", "target-node-labels"),
    *("healthcheck-timeout-seconds", "healthy-threshold-count", "unhealthy-threshold-count", "success-codes"),
}
# What may stand on one Ingress of a group only, or on all with the same value.
EXCLUSIVE = {
    *("scheme", "subnets", "load-balancer-attributes", "wafv2-acl-arn", "ssl-redirect", "inbound-cidrs"),
    *("ssl-policy", "load-balancer-name", "security-groups", "ip-address-type"),
}
WITH_ALB = ["eks", "ha", "external-services"]


def annotations(rendering: Rendering, name: str) -> dict[str, str]:
    """Those of the load balancer's controller, without their prefix."""
    found = rendering.one("Ingress", name)["metadata"]["annotations"]
    return {key.removeprefix(PREFIX): value for key, value in found.items() if key.startswith(PREFIX)}


def attributes(text: str) -> dict[str, str]:
    """a=b,c=d as a dictionary."""
    return dict(pair.split("=", 1) for pair in text.split(","))


@pytest.mark.parametrize("scenario", WITH_ALB)
def test_the_controller_knows_every_annotation(scenario: str) -> None:
    """It passes over those it does not know, and all values are strings."""
    for name in ("pecia-api", "pecia-ui"):
        found = annotations(rendered(scenario), name)
        assert {key for key in found if not key.startswith("actions.")} <= KNOWN
        assert all(isinstance(value, str) for value in found.values())


@pytest.mark.parametrize("scenario", WITH_ALB)
def test_one_load_balancer_serves_both(scenario: str) -> None:
    """One group, each with its own order, and nothing said twice in two ways."""
    api, ui = (annotations(rendered(scenario), name) for name in ("pecia-api", "pecia-ui"))
    assert api["group.name"] == ui["group.name"]
    assert api["group.order"] != ui["group.order"]
    assert {key for key in EXCLUSIVE & set(api) & set(ui) if api[key] != ui[key]} == set()
    assert {"load-balancer-attributes", "wafv2-acl-arn"} & set(ui) == set()


@pytest.mark.parametrize(
    ("namespace", "release", "group"),
    [
        ("pecia", "pecia", "pecia"),
        ("staging", "pecia", "staging.pecia"),
        ("pecia", "second", "pecia.second-pecia"),
    ],
)
def test_a_load_balancer_is_one_releases_alone(namespace: str, release: str, group: str) -> None:
    """Groups are the whole cluster's: of two releases of one name, one would get the other's callers."""
    rendering = rendered("eks", release=release, namespace=namespace)
    found = {one["metadata"]["annotations"][f"{PREFIX}group.name"] for one in rendering.of("Ingress")}
    assert found == {group}


def test_the_group_of_long_names_is_still_one() -> None:
    """The controller takes 63 characters, and what is cut off still tells two apart."""
    long = [f"{'n' * 62}{end}" for end in "ab"]
    groups = [annotations(rendered("eks", namespace=one), "pecia-api")["group.name"] for one in long]
    assert len(set(groups)) == len(long)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,61}[a-z0-9]", group) for group in groups)


def test_a_group_of_ones_own_stays_as_it_is_named() -> None:
    """So that a load balancer may be shared where that is meant."""
    api = annotations(rendered("eks", ingress={"alb": {"group": "office"}}), "pecia-api")
    assert api["group.name"] == "office"


def test_a_firewall_goes_only_when_that_is_said() -> None:
    """The controller leaves the firewall as it is where nothing is said of it; `none` takes it away."""
    silent = annotations(rendered("eks", ingress={"alb": {"wafAclArn": ""}}), "pecia-api")
    assert "wafv2-acl-arn" not in silent
    taken = annotations(rendered("eks", ingress={"alb": {"wafAclArn": "none"}}), "pecia-api")
    assert taken["wafv2-acl-arn"] == "none"


def test_listeners_are_8000_and_8501_and_443_with_a_certificate() -> None:
    """Without a certificate plain HTTP; with one all speak TLS, unless plain ports are asked for."""
    plain = rendered("external-services")
    assert json.loads(annotations(plain, "pecia-api")["listen-ports"]) == [{"HTTP": 8000}]
    assert json.loads(annotations(plain, "pecia-ui")["listen-ports"]) == [{"HTTP": 8501}]
    sealed = rendered("eks")
    assert json.loads(annotations(sealed, "pecia-api")["listen-ports"]) == [{"HTTPS": 8000}, {"HTTPS": 443}]
    assert json.loads(annotations(sealed, "pecia-ui")["listen-ports"]) == [{"HTTPS": 8501}, {"HTTPS": 443}]
    mixed = rendered("eks", ingress={"alb": {"plainPorts": True}})
    assert json.loads(annotations(mixed, "pecia-api")["listen-ports"]) == [{"HTTP": 8000}, {"HTTPS": 443}]


def test_without_a_host_of_its_own_the_page_stays_off_443() -> None:
    """Both serve /: on a listener they share only names keep them apart."""
    ui = annotations(rendered("eks", ingress={"uiHost": ""}), "pecia-ui")
    assert json.loads(ui["listen-ports"]) == [{"HTTPS": 8501}]


def test_the_load_balancer_is_as_the_seeds_had_it() -> None:
    """`/health` on 8000, unhealthy after two failures, pods as targets, ten silent minutes, a firewall."""
    api = annotations(rendered("eks"), "pecia-api")
    assert api["healthcheck-path"] == "/health"
    assert api["unhealthy-threshold-count"] == "2"
    assert api["target-type"] == "ip"
    assert attributes(api["load-balancer-attributes"])["idle_timeout.timeout_seconds"] == "600"
    assert api["wafv2-acl-arn"].startswith("arn:aws:wafv2:")
    assert api["certificate-arn"].startswith("arn:aws:acm:")
    assert api["inbound-cidrs"] == "0.0.0.0/0"
    ui = annotations(rendered("eks"), "pecia-ui")
    assert ui["healthcheck-path"] == "/_stcore/health"
    assert ui["unhealthy-threshold-count"] == "2"


def test_a_visitor_of_the_page_stays_on_one_pod() -> None:
    """The session is there. The API needs no such thing, and takes whoever has least to do."""
    ui = attributes(annotations(rendered("eks"), "pecia-ui")["target-group-attributes"])
    assert ui["stickiness.enabled"] == "true"
    assert ui["stickiness.lb_cookie.duration_seconds"] == "86400"
    api = attributes(annotations(rendered("eks"), "pecia-api")["target-group-attributes"])
    assert "stickiness.enabled" not in api
    assert api["load_balancing.algorithm.type"] == "least_outstanding_requests"


@pytest.mark.parametrize("scenario", WITH_ALB)
def test_the_load_balancer_lets_go_before_the_pod_ends(scenario: str) -> None:
    """Long enough for the longest page, no longer than the pod stays."""
    rendering = rendered(scenario)
    api = attributes(annotations(rendering, "pecia-api")["target-group-attributes"])
    waits = int(api["deregistration_delay.timeout_seconds"])
    assert 300 <= waits <= rendering.pod("gateway").spec["terminationGracePeriodSeconds"]


def test_what_is_counted_stays_inside() -> None:
    """`/metrics` is answered by the load balancer itself."""
    ingress = rendered("eks").one("Ingress", "pecia-api")
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert [path["path"] for path in paths] == ["/metrics", "/"]
    service = paths[0]["backend"]["service"]
    assert service["port"] == {"name": "use-annotation"}
    action = json.loads(annotations(rendered("eks"), "pecia-api")[f"actions.{service['name']}"])
    assert action["fixedResponseConfig"]["statusCode"] == "404"


def test_another_class_gets_plain_objects() -> None:
    """Hosts, a certificate from a Secret, its own annotations and none of AWS."""
    rendering = rendered("cpu")
    for name, host, service in (
        ("pecia-api", "ocr.example.com", "pecia-gateway"),
        ("pecia-ui", "read.example.com", "pecia-ui"),
    ):
        ingress = rendering.one("Ingress", name)
        assert not [key for key in ingress["metadata"]["annotations"] if "alb" in key or "aws" in key]
        assert ingress["spec"]["ingressClassName"] == "nginx"
        assert ingress["spec"]["tls"] == [{"hosts": [host], "secretName": "pecia-hosts-tls"}]
        (rule,) = ingress["spec"]["rules"]
        assert rule["host"] == host
        (path,) = rule["http"]["paths"]
        assert path["backend"]["service"] == {"name": service, "port": {"name": "http"}}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_ingresses_lead_to_services(scenario: str) -> None:
    """By the name of a port that is there."""
    rendering = rendered(scenario)
    ports = {
        one["metadata"]["name"]: {p["name"] for p in one["spec"]["ports"]} for one in rendering.of("Service")
    }
    for ingress in rendering.of("Ingress"):
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            service = path["backend"]["service"]
            assert (
                service["port"]["name"] == "use-annotation"
                or service["port"]["name"] in ports[service["name"]]
            )


class Walls:
    """Network policies, as a plugin that enforces them would read them."""

    def __init__(self, rendering: Rendering) -> None:
        """Of one release."""
        self.policies = rendering.of("NetworkPolicy")

    def _of(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        return [p["spec"] for p in self.policies if _matches(p["spec"]["podSelector"], labels)]

    def allow(self, source: dict[str, str], target: dict[str, str], port: int) -> bool:
        """Whether a pod of the namespace reaches another one."""
        return self.leaves(source, target, port) and self.enters(source, target, port)

    def leaves(self, source: dict[str, str], target: dict[str, str], port: int) -> bool:
        """Whether the source's own policies let it out to the target."""
        rules = [p for p in self._of(source) if "Egress" in p["policyTypes"]]
        return not rules or any(_lets(r, "to", target, port) for p in rules for r in p.get("egress", []))

    def enters(self, source: dict[str, str], target: dict[str, str], port: int) -> bool:
        """Whether the target's own policies let the source in."""
        rules = [p for p in self._of(target) if "Ingress" in p["policyTypes"]]
        return not rules or any(_lets(r, "from", source, port) for p in rules for r in p.get("ingress", []))

    def reaches_address(self, source: dict[str, str], cidr: str, port: int) -> bool:
        """Whether a pod may speak to a network."""
        return any(
            peer.get("ipBlock", {}).get("cidr") == cidr
            and any(each["port"] == port for each in rule["ports"])
            for policy in self._of(source)
            for rule in policy.get("egress", [])
            for peer in rule["to"]
        )


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return set(selector.get("matchLabels", {}).items()) <= set(labels.items())


def _lets(rule: dict[str, Any], side: str, labels: dict[str, str], port: int) -> bool:
    peers = [peer for peer in rule[side] if "podSelector" in peer and "namespaceSelector" not in peer]
    open_port = any(each["port"] == port for each in rule["ports"])
    return open_port and any(_matches(peer["podSelector"], labels) for peer in peers)


@pytest.mark.parametrize("scenario", ["ha", "eks"])
def test_parts_reach_whom_they_need_and_nobody_else(scenario: str) -> None:
    """The whole table, every pod to every pod, on every port; each side alone would hold."""
    rendering = rendered(scenario)
    walls = Walls(rendering)
    labels = {pod.labels["app.kubernetes.io/component"]: pod.labels for pod in rendering.pods()}
    engines = {name for name in labels if name.startswith("ocr-")}
    expected = {(who, engine, 50051) for who in ("gateway", "worker") for engine in engines}
    expected |= {("ui", "gateway", 8000), ("test", "gateway", 8000)}
    for lets in (walls.leaves, walls.enters, walls.allow):
        reached = {
            (source, target, port)
            for source in labels
            for target in labels
            for port in (8000, 8080, 8501, 9090, 50051, 50052)
            if source != target and lets(labels[source], labels[target], port)
        }
        assert reached == expected


def test_models_of_the_operator_stand_behind_the_same_walls() -> None:
    """They carry the fleet's label, and that is what is asked for."""
    walls = Walls(rendered("eks"))
    model = {"pecia.dev/fleet": "pecia", "app.kubernetes.io/component": "ocrmodel"}
    gateway = rendered("eks").pod("gateway").labels
    assert walls.allow(gateway, model, 50051)
    assert not walls.allow(rendered("eks").pod("ui").labels, model, 50051)


def test_a_stranger_in_the_namespace_is_let_in_by_its_label_alone() -> None:
    """Another team's pod reaches the gateway where it says that it is a client, and never the ocr service."""
    rendering = rendered("ha")
    walls = Walls(rendering)
    gateway, engine = rendering.pod("gateway").labels, rendering.pod("ocr-cpu").labels
    assert not walls.allow({"app": "other"}, gateway, 8000)
    assert walls.allow({"app": "other", "pecia.dev/client": "true"}, gateway, 8000)
    assert not walls.allow({"app": "other", "pecia.dev/client": "true"}, engine, 50051)


def test_whoever_opens_documents_reaches_no_address() -> None:
    """Not the internet, not the database; gateway and workers reach both."""
    rendering = rendered("ha")
    walls = Walls(rendering)
    for cidr, port in (("0.0.0.0/0", 443), ("10.0.0.0/16", 5432)):
        assert not walls.reaches_address(rendering.pod("ocr-cpu").labels, cidr, port)
        assert walls.reaches_address(rendering.pod("gateway").labels, cidr, port)
        assert walls.reaches_address(rendering.pod("worker").labels, cidr, port)


def test_nobody_reaches_the_nodes_own_address() -> None:
    """Where clouds hand out the node's rights: never, although the internet is open."""
    for policy in rendered("ha").of("NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                block = peer.get("ipBlock", {})
                assert block.get("cidr") != "0.0.0.0/0" or "169.254.0.0/16" in block["except"]
