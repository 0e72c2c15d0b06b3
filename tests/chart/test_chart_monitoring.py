"""Alerts and dashboards ask for metrics that are there, and every alert says what to do."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from tests.chart.rendering import CHART, ROOT, Pod, rendered

# What kubelets and kube-state-metrics tell of containers.
OF_THE_CLUSTER = {
    "container_memory_working_set_bytes": {"namespace", "pod", "container"},
    "container_cpu_usage_seconds_total": {"namespace", "pod", "container"},
    "kube_pod_container_resource_limits": {"namespace", "pod", "container", "resource"},
    "kube_pod_container_status_restarts_total": {"namespace", "pod", "container"},
}
# What Prometheus adds to whatever it scrapes.
OF_THE_TARGET = {"namespace", "pod", "job", "instance", "container"}
SUFFIXES = {"Counter": ("",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
WANTED = {
    "OcrUnhealthy": "3m",
    "OcrNotReady": "2m",
    "MemoryNearLimit": "10m",
    "JobsWait": "10m",
    "JobsFail": "0m",
}


def exported() -> dict[str, set[str]]:
    """Metrics that the services register, and the labels of each: out of their code."""
    found: dict[str, set[str]] = {}
    for path in [*(ROOT / "libs").rglob("*.py"), *(ROOT / "services").rglob("*.py")]:
        if "tests" not in path.parts and ".venv" not in path.parts:
            for call in _registrations(ast.parse(path.read_text())):
                name, labels = _name_and_labels(call)
                for suffix in SUFFIXES[_kind(call)]:
                    found[name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def _registrations(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=[ast.Constant(), *_]) if _kind(node) in SUFFIXES:
                yield node


def _kind(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _name_and_labels(call: ast.Call) -> tuple[str, set[str]]:
    name = ast.literal_eval(call.args[0])
    given = (
        call.args[2]
        if len(call.args) > 2
        else next((k.value for k in call.keywords if k.arg == "labelnames"), None)
    )
    labels = set(ast.literal_eval(given)) if isinstance(given, ast.Tuple) else _named_elsewhere(given)
    return name, labels


def _named_elsewhere(given: ast.expr | None) -> set[str]:
    """One place keeps its labels in a variable."""
    return {"method", "route", "status"} if isinstance(given, ast.Name) and given.id == "labels" else set()


KNOWN = exported()


def asked(expression: str) -> dict[str, set[str]]:
    """Metrics of an expression, and the labels each is chosen or grouped by."""
    found: dict[str, set[str]] = {}
    grouped: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.setdefault(node.name or "", set()).update(m.name for m in node.matchers.matchers)
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            grouped.update(node.modifier.labels)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return {name: labels | grouped for name, labels in found.items()}


def unknown(expression: str) -> list[str]:
    """What nobody exports: names of metrics, and labels that they do not have."""
    wrong = []
    for name, labels in asked(expression).items():
        has = KNOWN.get(name) if name in KNOWN else OF_THE_CLUSTER.get(name)
        if has is None:
            wrong.append(name)
        else:
            wrong += [f"{name}: {label}" for label in sorted(labels - has - OF_THE_TARGET)]
    return wrong


def alerts(**values: Any) -> list[dict[str, Any]]:
    """All rules of the chart."""
    rules = rendered("ha", **values).one("PrometheusRule", "pecia-alerts")["spec"]["groups"][0]["rules"]
    return list(rules)


def expressions() -> Iterator[tuple[str, str]]:
    """Of every panel of every dashboard, and its place."""
    for path in sorted((CHART / "files/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"].replace("$namespace", "default")


def test_the_services_export_something() -> None:
    """The list that the others are compared with is not empty, and has the seeds' two names."""
    assert len(KNOWN) > 40
    assert KNOWN["ocr_requests_total"] == {"service", "route", "engine", "code"}
    assert "le" in KNOWN["ocr_processing_seconds_bucket"]
    assert KNOWN["pecia_ready"] == set()


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_what_there_is(alert: dict[str, Any]) -> None:
    """Its expression parses, and every metric and label of it is exported."""
    assert unknown(alert["expr"]) == []
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert all(alert["annotations"][words] for words in ("summary", "description"))


@pytest.mark.parametrize(("place", "expression"), list(expressions()), ids=lambda value: value[:40])
def test_a_panel_asks_for_what_there_is(place: str, expression: str) -> None:
    """The same of dashboards."""
    assert unknown(expression) == [], place


def test_what_is_not_exported_is_noticed() -> None:
    """A metric of somebody's dreams, and a label that a metric does not have."""
    assert unknown("rate(pecia_dreams_total[5m]) > 0") == ["pecia_dreams_total"]
    assert unknown('sum by (model) (pecia_ready{colour="red"})') == [
        "pecia_ready: colour",
        "pecia_ready: model",
    ]


def test_the_alerts_that_were_asked_for_are_there() -> None:
    """Not healthy for 3 minutes, not ready for 2, memory, the queue's age, jobs that fail."""
    times = {alert["alert"]: alert["for"] for alert in alerts()}
    assert times.items() >= WANTED.items()
    memory = next(alert for alert in alerts() if alert["alert"] == "MemoryNearLimit")
    assert memory["expr"].endswith("> 75")


def test_every_alert_leads_to_its_paragraph() -> None:
    """docs/runbook.md has one for each, no more, and the link ends at its heading."""
    headings = re.findall(r"(?m)^## (\w+)$", (ROOT / "docs/runbook.md").read_text())
    assert sorted(headings) == sorted(alert["alert"] for alert in alerts())
    for alert in alerts(monitoring={"runbookUrl": "https://runbooks.example/pecia"}):
        assert (
            alert["annotations"]["runbook_url"] == f"https://runbooks.example/pecia#{alert['alert'].lower()}"
        )


def test_without_jobs_nobody_is_woken_for_them() -> None:
    """And where workers are scaled to none on purpose, their absence is no alarm."""
    rendering = rendered("minimal", monitoring={"rules": True}, jobs={"enabled": False})
    groups = rendering.one("PrometheusRule", "pecia-alerts")["spec"]["groups"]
    without = {alert["alert"] for alert in groups[0]["rules"]}
    assert without == {
        *("OcrUnhealthy", "OcrNotReady", "OcrNoRoom", "GatewayErrors", "GatewaySlow", "PagesFallBack"),
        *("MemoryNearLimit", "WallMissing", "PodsRestart"),
    }
    none = {"intake": False, "autoscaling": {"minReplicas": 0}}
    sleeping = rendered("eks", worker=none).one("PrometheusRule", "pecia-alerts")["spec"]["groups"]
    assert "WorkersGone" not in {alert["alert"] for alert in sleeping[0]["rules"]}


def test_two_releases_are_told_apart() -> None:
    """Alerts look at the pods of their own release and namespace."""
    for alert in alerts():
        selectors = [labels for name, labels in asked(alert["expr"]).items() if name]
        assert all({"namespace", "pod"} <= labels for labels in selectors)


def test_dashboards_are_found_by_grafana() -> None:
    """A label on their ConfigMaps; each is JSON with panels that have a title and say what they show."""
    maps = [one for one in rendered("ha").of("ConfigMap") if "dashboard" in one["metadata"]["name"]]
    assert len(maps) == 2
    for one in maps:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        (text,) = one["data"].values()
        panels = json.loads(text)["panels"]
        assert len(panels) >= 12
        assert all(panel["title"] and panel["description"] for panel in panels)
        assert len({panel["id"] for panel in panels}) == len(panels)


def test_dashboards_show_what_was_asked_for() -> None:
    """Requests, latency, queue, pages a second, jobs, memory."""
    shown = {name for _, expression in expressions() for name in asked(expression)}
    assert shown >= {
        *("pecia_http_requests_total", "ocr_processing_seconds_bucket", "pecia_fleet_queue_length"),
        *(
            "ocr_requests_total",
            "pecia_job_pages_total",
            "pecia_jobs_queue",
            "container_memory_working_set_bytes",
        ),
    }


@pytest.mark.parametrize("scenario", ["minimal", "ha", "eks"])
def test_every_process_is_scraped(scenario: str) -> None:
    """Monitors find each pod that exports metrics, by a port it has; the operator's pods are of the fleet."""
    rendering = rendered(scenario, monitoring={"monitors": True})
    found: set[str] = set()
    for monitor in [*rendering.of("PodMonitor"), *rendering.of("ServiceMonitor")]:
        spec = monitor["spec"]
        ports = {each["port"] for each in [*spec.get("endpoints", []), *spec.get("podMetricsEndpoints", [])]}
        for pod in rendering.pods():
            if set(spec["selector"]["matchLabels"].items()) <= set(pod.labels.items()):
                found |= _scraped(pod, ports)
    engines = {c["name"] for pod in rendering.pods() for c in pod.containers} & {"ocr", "gateway", "worker"}
    assert found == engines


def _scraped(pod: Pod, ports: set[str]) -> set[str]:
    return {c["name"] for c in pod.containers if ports & {port["name"] for port in c.get("ports", [])}}
