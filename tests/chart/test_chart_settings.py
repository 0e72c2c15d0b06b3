"""The environment the chart gives each process is one its settings.py knows, and reads without complaint."""

import importlib
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel
from pydantic_settings import BaseSettings

from tests.chart.rendering import SCENARIOS, Rendering, rendered

ALL = ["", *SCENARIOS]
# The container's name says whose settings are read.
PACKAGES = {
    "gateway": "pecia_gateway",
    "worker": "pecia_worker",
    "ocr": "pecia_ocr",
    "ui": "pecia_ui",
    "operator": "pecia_operator",
}
# Read by every program, not by ours alone.
GENERAL = {"HOME", "TMPDIR", "POD_NAME"}
# What people put into a Secret, in the form its setting wants.
SECRET_VALUES = {
    "DATABASE_URL": "postgresql://pecia:secret@db.example/pecia",
    "REDIS_URL": "redis://cache.example:6379/0",
    "CF_R2_ENDPOINT": "https://account.r2.cloudflarestorage.com",
    "BULI2_API_URL": "https://review.example",
    "BULI2_CALLBACK_URL": "https://ocr.example",
}


def settings_of(container: str) -> type[BaseSettings]:
    """The settings class of a container's process."""
    loaded: type[BaseSettings] = importlib.import_module(f"{PACKAGES[container]}.settings").Settings
    return loaded


def names(part: type[BaseModel], prefix: str) -> Iterator[str]:
    """Every name that a settings class reads, older ones included."""
    for name, field in part.model_fields.items():
        inner = field.annotation
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from names(inner, f"{prefix}{name}__")
        elif isinstance(field.validation_alias, AliasChoices):
            yield from map(str, field.validation_alias.choices)
        else:
            yield f"{prefix}{name}".upper()
        if "seed_name" in extra:
            yield str(extra["seed_name"])


def environments(rendering: Rendering) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Pod, container and environment of every process of ours."""
    for pod in rendering.pods():
        for container in pod.containers:
            if container["name"] in PACKAGES:
                yield pod.name, container["name"], rendering.environment(container)


@pytest.mark.parametrize("scenario", ALL)
def test_every_name_is_a_setting(scenario: str) -> None:
    """A misspelt one would be passed over in silence, because others' variables are."""
    for pod, container, seen in environments(rendered(scenario)):
        part = settings_of(container)
        known = set(names(part, str(part.model_config.get("env_prefix") or ""))) | GENERAL
        assert set(seen) - known == set(), f"{pod}, {container}"


@pytest.mark.parametrize("scenario", ALL)
def test_every_process_starts_with_it(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings take the values."""
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    for _pod, container, seen in environments(rendered(scenario)):
        with monkeypatch.context() as patch:
            for name, value in seen.items():
                patch.setenv(name, SECRET_VALUES.get(name, value))
            settings_of(container)()


def loaded(rendering: Rendering, component: str, container: str, patch: pytest.MonkeyPatch) -> Any:
    """The settings a process ends up with."""
    (found,) = [one for one in rendering.pod(component).containers if one["name"] == container]
    for name, value in rendering.environment(found).items():
        patch.setenv(name, SECRET_VALUES.get(name, value))
    return settings_of(container)()


def test_gateway_and_worker_share_one_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one volume: the same file and the same folder, inside of the mount."""
    gateway = loaded(rendered(), "gateway", "gateway", monkeypatch)
    worker = loaded(rendered(), "gateway", "worker", monkeypatch)
    assert gateway.database.place == worker.database.place == "sqlite:////data/jobs.sqlite3"
    assert gateway.blobs.place == worker.blobs.place == "/data/blobs"


def test_an_external_store_is_the_one_of_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL and a bucket; the bucket's name out of the Secret where no address is given."""
    worker = loaded(rendered("external-services"), "worker", "worker", monkeypatch)
    assert worker.database.place == SECRET_VALUES["DATABASE_URL"]
    assert worker.blobs.place == "s3://CF_R2_BUCKET_NAME/pecia-jobs"
    assert worker.has_queue
    assert (worker.intake.concurrency, worker.intake.poll_interval_ms) == (2, 1000)


def test_callers_ask_the_headless_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name and the pods' own port; with TLS they expect that name in its certificate."""
    rendering = rendered("ha")
    gateway = loaded(rendering, "gateway", "gateway", monkeypatch)
    assert gateway.ocr.target == "pecia-ocr:50051"
    certificate = rendering.one("Certificate", "pecia-tls")["spec"]
    assert gateway.ocr.tls.server_name in certificate["dnsNames"]


def test_the_page_asks_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the Service's name, not on its own machine."""
    assert loaded(rendered(), "ui", "ui", monkeypatch).api_base == "http://pecia-gateway:8000"


def test_an_engine_runs_what_its_entry_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """DeepSeek-OCR from the claim alone on the GPU, the CPU engines elsewhere."""
    l4 = loaded(rendered("l4"), "ocr-l4", "ocr", monkeypatch)
    assert str(l4.model_path) == "/models/deepseek-ai/DeepSeek-OCR"
    assert (l4.gpu_enabled, l4.engines.rapid, l4.engines.tesseract) == (True, False, False)
    assert l4.deepseek.memory_gb == 20


def test_numbers_keep_their_digits() -> None:
    """Helm would write ten million as 1e+07, which no setting reads."""
    seen = rendered(ocr={"maxPictureBytes": 20971520}, gateway={"env": {"PECIA_JOBS__MAX_PAGES": 12345678}})
    data = {
        **seen.one("ConfigMap", "pecia-ocr-env")["data"],
        **seen.one("ConfigMap", "pecia-gateway")["data"],
    }
    assert data["PECIA_LIMITS__MAX_PICTURE_BYTES"] == "20971520"
    assert data["PECIA_JOBS__MAX_PAGES"] == "12345678"
    for scenario in ALL:
        for _, _, environment in environments(rendered(scenario)):
            assert not [value for value in environment.values() if re.search(r"\de\+\d", value)]


def test_what_people_set_wins() -> None:
    """Over what the chart sets, in ConfigMaps and in an engine's own environment."""
    rendering = rendered(
        gateway={"env": {"PECIA_HTTP__DRAIN_S": 30}},
        ocr={"engines": [{"name": "cpu", "env": {"PECIA_ENGINES__TESSERACT": False}}]},
    )
    assert rendering.environment(rendering.pod("gateway").containers[0])["PECIA_HTTP__DRAIN_S"] == "30"
    assert (
        rendering.environment(rendering.pod("ocr-cpu").containers[0])["PECIA_ENGINES__TESSERACT"] == "false"
    )


def test_the_operator_is_told_what_its_pods_have_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fleet, images, account, certificates, probes' port and seconds: as the chart's own pods have them."""
    rendering = rendered("eks", tls={"enabled": True, "existingSecret": "made"})
    told = loaded(rendering, "operator", "operator", monkeypatch).operator
    engine = rendering.pod("ocr-cpu")
    assert told.fleet == engine.labels["pecia.dev/fleet"]
    assert told.ocr_image == engine.containers[0]["image"]
    assert told.service_account == engine.spec["serviceAccountName"]
    assert told.probe_port == engine.containers[0]["readinessProbe"]["grpc"]["port"]
    mounts = {mount["name"]: mount["mountPath"] for mount in engine.containers[0]["volumeMounts"]}
    secrets = {
        each["secret"]["secretName"]: mounts[each["name"]]
        for each in engine.spec["volumes"]
        if "secret" in each
    }
    assert told.ocr_secrets == secrets
    assert told.ocr_env == engine.containers[0]["envFrom"][0]["configMapRef"]["name"]
    assert told.prestop_s + told.drain_s + 15 == engine.spec["terminationGracePeriodSeconds"]
