"""What is in the images, and what is not."""

import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.images.conftest import BUILT, LIST
from tests.images.podman import Podman

_MB = 1_000_000
_DISTRIBUTIONS = (
    "import importlib.metadata as m;"
    "print(*sorted({d.name.lower().replace('_', '-') for d in m.distributions()}))"
)
# May be written to: its own memory file systems, and the folder where a volume is mounted.
_WRITABLE = {"/tmp", "/dev/shm", "/dev/mqueue", "/var/lib/pecia"}  # noqa: S108 - what is looked for


def config(podman: Podman, image: str) -> dict[str, object]:
    """What an image says of itself."""
    return dict(json.loads(podman("image", "inspect", image))[0]["Config"])


@pytest.mark.parametrize("name", BUILT)
def test_sizes(podman: Podman, images: Mapping[str, str], name: str) -> None:
    """No image is larger than its line in services/images.toml, nor is that line out of all proportion."""
    size = int(podman("image", "inspect", "--format={{.Size}}", images[name])) / _MB
    assert 0.6 * LIST[name]["greatest_mb"] < size <= LIST[name]["greatest_mb"]


@pytest.mark.parametrize("name", BUILT)
def test_an_image_says_what_it_is(podman: Podman, images: Mapping[str, str], name: str) -> None:
    """Where its sources are, its commit, version and licence; and it is not run by root."""
    said = config(podman, images[name])
    labels = said["Labels"]
    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.source"] == "https://example.com/pecia"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["org.opencontainers.image.revision"])
    assert said["User"] == "10001:10001"
    assert "Healthcheck" in json.dumps(json.loads(podman("image", "inspect", images[name]))[0])


@pytest.mark.parametrize("name", BUILT)
def test_only_what_it_runs_is_installed(podman: Podman, images: Mapping[str, str], name: str) -> None:
    """Its own requirements and packages of this repository; no pip, no compiler, nothing that fetches."""
    installed = set(podman.inside(images[name], "python", "-c", _DISTRIBUTIONS).split())
    exported = Path(__file__).parents[2] / f"requirements/images/{name}.txt"
    wanted = set(re.findall(r"(?m)^([a-z0-9-]+)==", exported.read_text()))
    strangers = {found for found in installed - wanted if not found.startswith("pecia-")}
    assert strangers == set()
    assert f"pecia-{name.removesuffix('-cuda')}" in installed
    tools = (
        "for tool in pip pip3 gcc cc g++ make ld as git curl wget uv hatch; do command -v $tool; done; true"
    )
    assert podman.inside(images[name], "sh", "-c", tools) == ""


@pytest.mark.parametrize("name", BUILT)
def test_nothing_can_be_changed_by_who_runs_there(
    podman: Podman, images: Mapping[str, str], name: str
) -> None:
    """Even without a read-only root no file of the image is writable, and none makes its user another one."""
    find = "find / -xdev \\( -type f -o -type d \\) -writable -print 2>/dev/null; true"
    command = ("run", "--rm", "--user=10001:10001", "--entrypoint=sh", images[name], "-c", find)
    found = set(podman(*command, timeout_s=300).splitlines())
    found = {path for path in found if not path.startswith(("/proc/", "/dev/", "/sys/"))}
    assert found <= _WRITABLE | {"/var/tmp", "/run/lock", "/var/lock"}  # noqa: S108 - what is looked for
    rights = "find / -xdev -type f -perm /6000 2>/dev/null; true"
    assert podman.inside(images[name], "sh", "-c", rights) == ""


@pytest.mark.parametrize("name", BUILT)
def test_bytecode_is_there(podman: Podman, images: Mapping[str, str], name: str) -> None:
    """Each of our modules was compiled when the image was built: a start compiles nothing."""
    look = (
        "import pathlib, importlib.util as u; own = pathlib.Path('/opt/pecia/own');"
        "print(len(list(own.rglob('*.py'))), [str(p) for p in own.rglob('*.py')"
        " if not pathlib.Path(u.cache_from_source(str(p))).exists()])"
    )
    count, missing = podman.inside(images[name], "python", "-c", look).split(" ", 1)
    assert int(count) > 5
    assert missing == "[]"


def test_secrets_of_the_build_are_in_no_layer(
    podman: Podman, images: Mapping[str, str], marker: str, tmp_path: Path
) -> None:
    """What was mounted while building is neither in a layer nor in the history."""
    if marker_was_not_used(images):
        pytest.skip("The images were not built here: PECIA_TEST_IMAGES is set.")
    archive = tmp_path / "image.tar"
    podman("save", "--format=docker-archive", f"--output={archive}", images["gateway"], timeout_s=300)
    members = 0
    with tarfile.open(archive) as whole:
        for part in whole:
            content = whole.extractfile(part)
            if content is None:
                continue
            members += 1
            before = b""
            while piece := content.read(1 << 20):
                assert marker.encode() not in before + piece, part.name
                before = piece[-len(marker) :]
    assert members > 3
    assert "secret-of-the-build" not in podman("history", "--no-trunc", images["gateway"])


def marker_was_not_used(images: Mapping[str, str]) -> bool:
    """Whether the images come from elsewhere."""
    return not images["gateway"].endswith(":test")


def test_the_models_are_inside(podman: Podman, images: Mapping[str, str]) -> None:
    """PP-OCR's models and Tesseract's Indonesian and English are there without a network."""
    look = (
        "import rapidocr, pathlib;"
        "print(*[p.name for p in pathlib.Path(rapidocr.__file__).parent.rglob('*.onnx')])"
    )
    models = podman.inside(images["ocr"], "python", "-c", look)
    assert "det" in models
    assert "rec" in models
    assert {"ind", "eng"} <= set(podman.inside(images["ocr"], "tesseract", "--list-langs").split())
