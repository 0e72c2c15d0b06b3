"""What is secret comes from outside, and reaches those who need it alone."""

import json

import pytest

from tests.chart.rendering import SCENARIOS, rendered

BOTH = {"DATABASE_URL", "CF_R2_BUCKET_NAME"}


def test_the_nine_secrets_come_by_their_former_names() -> None:
    """Each is fetched as filot/..., and reaches the worker by the name it always had."""
    rendering = rendered("eks")
    spec = rendering.one("ExternalSecret", "pecia-backend")["spec"]
    fetched = {each["secretKey"]: each["remoteRef"]["key"] for each in spec["data"]}
    assert fetched == {
        "DATABASE_URL": "filot/database-url",
        "REDIS_URL": "filot/redis-url",
        "REDIS_PASSWORD": "filot/redis-password",
        "CF_R2_ENDPOINT": "filot/cf-r2-endpoint",
        "CF_R2_ACCESS_KEY_ID": "filot/cf-r2-access-key",
        "CF_R2_SECRET_ACCESS_KEY": "filot/cf-r2-secret-key",
        "CF_R2_BUCKET_NAME": "filot/cf-r2-bucket",
        "BULI2_API_URL": "filot/buli2-api-url",
        "BULI2_CALLBACK_URL": "filot/buli2-callback-url",
    }
    worker = rendering.pod("worker").containers[0]
    assert set(fetched) <= {entry["name"] for entry in worker["env"]}


def test_secrets_reach_those_who_need_them_alone() -> None:
    """The page and the ocr service know no database, and nobody but the worker knows Redis' list."""
    rendering = rendered("external-services")
    for pod in rendering.pods():
        named = {entry["name"] for c in pod.containers for entry in c.get("env", []) if "valueFrom" in entry}
        component = pod.labels["app.kubernetes.io/component"]
        assert ("DATABASE_URL" in named) is (component in {"gateway", "worker"})
        assert ("REDIS_URL" in named) is (component == "worker")


def test_no_value_holds_a_secret() -> None:
    """The chart makes no Secret of its own: what is secret is brought, or fetched."""
    for scenario in ("", *SCENARIOS):
        assert rendered(scenario).of("Secret") == []


def test_pods_that_open_documents_cannot_sign() -> None:
    """The private key is with gateway and workers; an ocr pod, the operator's too, has the public one."""
    rendering = rendered("ha", operator={"enabled": True})
    for pod in rendering.pods():
        secrets = {name for kind, name in pod.references() if kind == "Secret"}
        component = pod.labels["app.kubernetes.io/component"]
        assert ("pecia-signing" in secrets) is (component in {"gateway", "worker"})
        assert ("pecia-verifying" in secrets) is component.startswith("ocr-")
    told = rendering.one("ConfigMap", "pecia-operator")["data"]["PECIA_OPERATOR__OCR_SECRETS"]
    assert json.loads(told) == {
        "pecia-keys": "/etc/pecia/keys",
        "pecia-tls": "/etc/pecia/tls",
        "pecia-verifying": "/etc/pecia/verifying",
        "pecia-model-key": "/etc/pecia/model-key",
    }


def test_each_side_has_its_own_certificate() -> None:
    """One that proves the server and one that proves callers; nobody holds both keys."""
    rendering = rendered("ha")
    usages = {one["spec"]["secretName"]: one["spec"]["usages"][-1] for one in rendering.of("Certificate")}
    assert usages == {"pecia-tls": "server auth", "pecia-client-tls": "client auth"}
    for pod in rendering.pods():
        held = {name for _, name in pod.references()} & set(usages)
        component = pod.labels["app.kubernetes.io/component"]
        expected = {"pecia-client-tls"} if component in {"gateway", "worker"} else {"pecia-tls"}
        assert held == (expected if component.startswith(("ocr-", "gateway", "worker")) else set())


@pytest.mark.parametrize(("scenario", "needed"), [("l4", {"DATABASE_URL"}), ("external-services", BOTH)])
def test_without_a_place_for_jobs_nobody_starts(scenario: str, needed: set[str]) -> None:
    """A missing database or bucket would be made up for by a folder that is gone with the pod."""
    rendering = rendered(scenario)
    for component in ("gateway", "worker"):
        env = rendering.pod(component).containers[0]["env"]
        taken = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in env if "valueFrom" in each}
        assert {name for name, reference in taken.items() if not reference.get("optional")} == needed


def test_a_secret_that_is_not_there_can_be_left_out() -> None:
    """external-secrets fails as a whole where one of the names is unknown to the store."""
    external = {"enabled": True, "storeName": "s", "names": {"REDIS_URL": None, "REDIS_PASSWORD": None}}
    rendering = rendered(secrets={"externalSecrets": external})
    fetched = {each["secretKey"] for each in rendering.one("ExternalSecret", "pecia-backend")["spec"]["data"]}
    assert "DATABASE_URL" in fetched
    assert not {"REDIS_URL", "REDIS_PASSWORD"} & fetched


def test_every_reading_pod_asks_who_signed_its_model() -> None:
    """Where a key is named; and so does the operator, before there is a pod. Nobody else gets it."""
    rendering = rendered("ha", operator={"enabled": True})
    for pod in rendering.pods():
        named = ("Secret", "pecia-model-key") in pod.references()
        assert named is pod.labels["app.kubernetes.io/component"].startswith("ocr-")
    reading = rendering.one("ConfigMap", "pecia-ocr-env")["data"]
    (mount,) = [
        mount
        for mount in rendering.pod("ocr-cpu").containers[0]["volumeMounts"]
        if mount["name"] == "model-key"
    ]
    assert reading["PECIA_DEEPSEEK__SIGNING_KEY_FILE"] == f"{mount['mountPath']}/signing.pub"
    assert mount["readOnly"] is True
    told = rendering.one("ConfigMap", "pecia-operator")["data"]
    assert told["PECIA_OPERATOR__MODEL_KEY_SECRET"] == "pecia-model-key"
    unsigned = rendered("", operator={"enabled": True})
    assert "PECIA_DEEPSEEK__SIGNING_KEY_FILE" not in unsigned.one("ConfigMap", "pecia-ocr-env")["data"]
    assert unsigned.one("ConfigMap", "pecia-operator")["data"]["PECIA_OPERATOR__MODEL_KEY_SECRET"] == ""


@pytest.mark.parametrize("output", ["none", "stdout", "claim"])
def test_the_audit_log_goes_where_the_values_say(output: str) -> None:
    """Of gateway and ocr service: among their logs, or a file for each pod on a volume, keyed by a Secret."""
    claim = "pecia-audit" if output == "claim" else ""
    audit = {"output": output, "existingClaim": claim, "existingSecret": "pecia-audit-key"}
    rendering = rendered("", audit=audit)
    for component, container in (("gateway", "gateway"), ("ocr-cpu", "ocr")):
        pod = rendering.pod(component)
        (found,) = [one for one in pod.containers if one["name"] == container]
        seen = rendering.environment(found)
        assert seen.get("PECIA_AUDIT__FILE") == {"stdout": "-", "claim": "/audit/$(POD_NAME).jsonl"}.get(
            output
        )
        assert ("PECIA_AUDIT__SECRET" in seen) is (output != "none")
        held = [mount["mountPath"] for mount in found["volumeMounts"] if mount["name"] == "audit"]
        assert held == (["/audit"] if output == "claim" else [])
        assert (("PersistentVolumeClaim", "pecia-audit") in pod.references()) is (output == "claim")
        if output == "claim":
            names = [entry["name"] for entry in found["env"]]
            assert names.index("POD_NAME") < names.index("PECIA_AUDIT__FILE"), "only then is it filled in"
    shared = rendering.one("ConfigMap", "pecia-ocr-env")["data"]
    assert shared.get("PECIA_AUDIT__FILE") == (None if output == "none" else "-"), "for the operator's pods"
