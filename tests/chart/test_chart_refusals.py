"""Mixes that cannot work are refused, with a sentence that says what to do."""

import functools
import re
from typing import Any

import pytest

from tests.chart.rendering import CHART, Refused, rendered

EXTERNAL = {"jobs": {"store": "external"}, "secrets": {"existingSecret": "backend"}}
KEYS = {"auth": {"existingSecret": "keys", "internalKeySecret": "key"}}
ALB = {"ingress": {"enabled": True}}


def engine(**about: Any) -> dict[str, Any]:
    """Values with one engine."""
    return {"ocr": {"engines": [{"name": "one", **about}]}}


def alb(**about: Any) -> dict[str, Any]:
    """Values with a load balancer of AWS, and keys."""
    return {**KEYS, "ingress": {"enabled": True, "alb": about}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    # names
    (
        {"ocr": {"engines": [{"name": "a"}, {"name": "a"}]}},
        'two entries named "a", which would be one Deployment',
    ),
    (
        {"models": [{"name": "m", "spec": {"engine": "rapid"}}] * 2, "operator": {"enabled": True}},
        'models has two entries named "m"',
    ),
    # jobs
    (
        {"gateway": {"replicas": 2}},
        "but gateway.replicas is 2. Set gateway.replicas=1, or jobs.store=external",
    ),
    ({"gateway": {"autoscaling": {"kind": "hpa"}}}, "but gateway.autoscaling.kind is hpa. Set it to none"),
    ({"worker": {"replicas": 2}}, "but worker.replicas is 2. Set worker.replicas=1"),
    ({"worker": {"autoscaling": {"kind": "keda"}}}, "but worker.autoscaling.kind is keda. Set it to none"),
    ({"jobs": {"blobsUrl": "s3://bucket"}}, "belong to jobs.store=external"),
    ({"jobs": {"store": "external"}}, "jobs.store=external needs a database: put DATABASE_URL"),
    (
        {**EXTERNAL, "gateway": {"autoscaling": {"kind": "hpa", "maxReplicas": 20}}},
        "may open 121 connections to the database during an upgrade, and jobs.database.maxConnections leaves",
    ),
    (
        {"jobs": {**EXTERNAL["jobs"], "database": {"poolSize": 22}}, "secrets": EXTERNAL["secrets"]},
        "may open 94 connections",
    ),
    # engines
    ({"ocr": {"engines": []}}, "Nothing would read a page"),
    (engine(engines=["deepseek"], weightsClaim="w"), "runs deepseek without a GPU"),
    (
        engine(engines=["deepseek"], gpus=1, rollout="replace"),
        "runs deepseek but has no weights. Set weightsClaim",
    ),
    (engine(engines=["deepseek"], weightsClaim="w", deepseekServerUrl="http://x"), "Keep one"),
    (engine(gpus=1, rollout="replace"), "asks for 1 GPU, but rapid and tesseract compute on the CPU"),
    (
        engine(engines=["deepseek"], gpus=1, weightsClaim="w"),
        "waits for a GPU that the old one holds, for ever. Set rollout=replace",
    ),
    (engine(rollout="replace"), "every upgrade stops all reading. Set rollout=surge"),
    (
        engine(engines=["deepseek"], deepseekServerUrl="http://x", autoscaling="hpa"),
        "says nothing of a GPU. Set autoscaling=keda",
    ),
    (engine(autoscaling="hpa", minReplicas=0), "without pods there is no CPU to measure"),
    (engine(autoscaling="hpa", minReplicas=5), "more minReplicas (5) than maxReplicas (4)"),
    (engine(autoscaling="keda"), "but there is none. Set jobs.store=external"),
    (
        {**EXTERNAL, "worker": {"autoscaling": {"kind": "keda", "minReplicas": 0}}},
        "documents on the Redis list would wait for ever",
    ),
    (
        {**EXTERNAL, **engine(autoscaling="keda", minReplicas=0)},
        "would take no jobs that could wake them. Set gateway.readyWithoutOcr=true",
    ),
    (
        {**EXTERNAL, "gateway": {"autoscaling": {"kind": "hpa", "minReplicas": 20}}},
        "gateway.autoscaling has more minReplicas (20)",
    ),
    (
        {**EXTERNAL, "gateway": {"autoscaling": {"kind": "hpa"}, "resources": {"requests": {"cpu": None}}}},
        "requests none. Set gateway.resources.requests.cpu",
    ),
    # doors
    ({**EXTERNAL, "ui": {"replicas": 2}}, "but nothing keeps a visitor on one pod"),
    (
        {"ingress": {"enabled": True, "className": "nginx", "uiHost": "u.example"}},
        "needs a host name for the API: set ingress.apiHost",
    ),
    (
        {"ingress": {"enabled": True, "className": "nginx", "apiHost": "a.example"}},
        "set ingress.uiHost, or ui.enabled=false",
    ),
    (
        {"ingress": {"enabled": True, "className": "nginx", "apiHost": "a.example", "uiHost": "a.example"}},
        "are the same name (a.example)",
    ),
    ({"ingress": {"tlsSecret": "hosts"}}, "name an ACM certificate in ingress.alb.certificateArn"),
    (alb(apiPort=8501), "each needs a listener of its own"),
    (alb(apiPort=443, certificateArn="arn:aws:acm:us-west-2:1:certificate/1"), "443 is there already"),
    (alb(deregistrationSeconds=400), "is 400, but a pod is gone after 375 s"),
    (alb(idleTimeoutSeconds=120), "shorter than inferenceTimeoutSeconds (300)"),
    # secrets
    ({"tls": {"enabled": True}}, "tls.enabled needs a certificate"),
    (
        {
            "tls": {
                "enabled": True,
                "existingSecret": "t",
                "certManager": {"enabled": True, "issuerName": "i"},
            }
        },
        "both give a certificate. Keep one",
    ),
    (
        {"tls": {"enabled": True, "certManager": {"enabled": True}}},
        "needs an issuer: set tls.certManager.issuerName",
    ),
    ({"tls": {"existingSecret": "t"}}, "tls has a certificate but is off"),
    (
        {"secrets": {"existingSecret": "a", "externalSecrets": {"enabled": True, "storeName": "s"}}},
        "both give the backend's Secret",
    ),
    ({"secrets": {"externalSecrets": {"enabled": True}}}, "needs a store"),
    ({"auth": {"existingSecret": "keys"}}, "also the workers, who read pages when no caller is there"),
    ({"auth": {"internalKeySecret": "key"}}, "auth.existingSecret names none"),
    ({"tls": {"clientSecret": "c"}}, "is the callers' side of tls.existingSecret, which is empty"),
    ({"assertion": {"existingSecret": "s"}}, "set both, or neither"),
    ({"audit": {"output": "claim"}}, "writes into audit.existingClaim"),
    ({"audit": {"existingClaim": "audit"}}, "writes into audit.existingClaim"),
    # walls
    ({**KEYS, **ALB, "networkPolicy": {"enabled": True}}, "shuts the load balancer out as well"),
    ({**EXTERNAL, "networkPolicy": {"enabled": True}}, "shuts gateway and workers out of the database"),
    (
        {"ocr": {"cacheSecret": "redis"}, "networkPolicy": {"enabled": True}},
        "shuts the ocr service out of the cache's Redis",
    ),
    (
        {**engine(engines=["deepseek"], deepseekServerUrl="http://x"), "networkPolicy": {"enabled": True}},
        "out of the server at deepseekServerUrl",
    ),
    (
        {
            "operator": {"enabled": True},
            "networkPolicy": {"enabled": True},
            "models": [{"name": "m", "spec": {"weights": {"s3": {"bucket": "b"}}}}],
        },
        "out of where their weights lie",
    ),
    (ALB, "would face the internet and ask nobody for a key"),
    # operator
    ({"models": [{"name": "m", "spec": {"engine": "rapid"}}]}, "made real by the operator, which is off"),
]


@functools.cache
def said(number: int) -> list[str]:
    """The sentences by which a mix of the list is refused."""
    with pytest.raises(Refused, match="This cannot be installed") as refusal:
        rendered(**REFUSED[number][0])
    return re.findall(r"(?m)^- (.*)$", str(refusal.value))


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=[words[:40] for _, words in REFUSED])
def test_a_mix_is_refused(number: int) -> None:
    """By this rule and no other, in words that name the values to change."""
    (sentence,) = said(number)
    assert REFUSED[number][1] in sentence


def test_every_rule_is_broken_here() -> None:
    """A rule that was added to the chart without a test is found."""
    text = (CHART / "templates/_validate.tpl").read_text()
    rules = [line for line in text.splitlines() if re.match(r"\w|\{\{ \$", line)]
    assert len(rules) > 35
    patterns = {rule: ".*".join(map(re.escape, re.split(r"\{\{.*?\}\}", rule))) for rule in rules}
    sentences = [sentence for number in range(len(REFUSED)) for sentence in said(number)]
    assert [
        rule for rule, pattern in patterns.items() if not any(map(re.compile(pattern).fullmatch, sentences))
    ] == []


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Nobody mends one thing to hear of the next."""
    with pytest.raises(Refused) as refusal:
        rendered(gateway={"replicas": 2}, worker={"replicas": 2}, tls={"enabled": True})
    assert str(refusal.value).count("\n- ") == 3
