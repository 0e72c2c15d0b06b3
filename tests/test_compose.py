"""compose.yaml and compose.gpu.yaml as they are written down. `make test-images` runs the first one."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
CPU = yaml.safe_load((ROOT / "compose.yaml").read_text())
GPU = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text())
IMAGES = tomllib.loads((ROOT / "services/images.toml").read_text())
OURS = {name: said for name, said in CPU["services"].items() if "build" in said}
# As docker-compose 1.29.2 ships it (Apache-2.0). It is older than a project's `name`.
SCHEMA = json.loads((ROOT / "tests/images/compose_spec.json").read_text())


@pytest.mark.parametrize("project", [CPU, GPU], ids=["cpu", "gpu"])
def test_compose_understands_it(project: dict[str, Any]) -> None:
    """Both files follow the specification of compose files."""
    jsonschema.Draft7Validator(SCHEMA).validate({key: said for key, said in project.items() if key != "name"})


@pytest.mark.parametrize("name", OURS)
def test_services_are_restricted(name: str) -> None:
    """No root, nothing writable but what is named, no rights, bounded memory, a health check, time to end."""
    said = OURS[name]
    assert said["user"] == "10001:10001"
    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert said["mem_limit"]
    assert said["tmpfs"][0].startswith("/tmp:")  # noqa: S108 - in the container
    assert "privileged" not in said
    if name != "ui":  # its image's own check says all there is
        assert said["healthcheck"]["start_period"]
        assert int(said["stop_grace_period"].removesuffix("s")) >= 315


def test_images_are_ours() -> None:
    """Names, tags and files are those that `make images` makes."""
    version = tomllib.loads((ROOT / "services/gateway/pyproject.toml").read_text())["project"]["version"]
    for said in [*OURS.values(), GPU["services"]["ocr"]]:
        name = re.fullmatch(r"\$\{PECIA_REGISTRY:-\}pecia/([\w-]+):\$\{PECIA_TAG:-(.+)\}", said["image"])
        assert name
        assert name[2] == version
        assert said["build"] == {"context": ".", "dockerfile": IMAGES[name[1]]["dockerfile"]}


def test_only_two_doors_are_open_and_only_to_this_machine() -> None:
    """The API and the page, on the loopback address unless it is said otherwise; ocr has no way out."""
    doors = {name: said["ports"] for name, said in CPU["services"].items() if "ports" in said}
    assert doors.keys() == {"gateway", "ui"}
    assert all(door.startswith("${PECIA_BIND:-127.0.0.1}:") for ports in doors.values() for door in ports)
    assert CPU["services"]["ocr"]["networks"] == ["inside"]
    assert CPU["networks"]["inside"] == {"internal": True}


def test_every_variable_is_a_setting() -> None:
    """What a service is told is a name that docs/CONFIG.md has, or that its image knows."""
    known = (ROOT / "docs/CONFIG.md").read_text()
    for said in [*OURS.values(), GPU["services"]["ocr"]]:
        for name in said["environment"]:
            assert f"`{name}`" in known, name


def test_no_variable_is_set_to_nothing() -> None:
    """An empty path is no path that is not set: what is optional is passed on only where it is there."""
    for said in OURS.values():
        assert not [name for name, value in said["environment"].items() if value in {"", "${" + name + ":-}"}]


def test_the_gpu_machine() -> None:
    """One GPU, 2 processors, 8 GB, 2 GB of shared memory, the model where it always was, mounted."""
    said = GPU["services"]["ocr"]
    (device,) = said["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert (said["cpus"], said["mem_limit"], said["shm_size"]) == (2, "${PECIA_OCR_MEMORY:-8g}", "2gb")
    assert said["environment"]["MODEL_PATH"].endswith(":-/app/models/deepseek-ai/DeepSeek-OCR}")
    assert said["volumes"] == ["${PECIA_MODELS:-./models}:/app/models:ro"]


def test_jobs_are_kept() -> None:
    """Gateway and workers share one volume for jobs, and say the same places."""
    front, back = CPU["services"]["gateway"], CPU["services"]["worker"]
    assert front["volumes"] == back["volumes"] == ["jobs:/var/lib/pecia"]
    assert "jobs" in CPU["volumes"]
    for name in ("DATABASE_URL", "PECIA_BLOBS__URL", "PECIA_WEBHOOKS__KEYS_FILE"):
        assert front["environment"][name] == back["environment"][name]
