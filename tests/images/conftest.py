"""The images, built once for all tests, and a network to run them on.

`PECIA_TEST_BASE` names the Python image to build on; without it the one that the Dockerfiles name is
pulled, and where it cannot be, one is made of what is here. `PECIA_TEST_IMAGES` = a tag: images with it are
taken as they are. With `PECIA_TEST_CUDA=1` the GPU image is among them: 3 GB of downloads, 25 GB of disk.
"""

import contextlib
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.images.podman import Podman, Yard

ROOT = Path(__file__).parents[2]
LIST = tomllib.loads((ROOT / "services/images.toml").read_text())
BUILT = [name for name, said in LIST.items() if not said.get("by_name_only")]
if os.environ.get("PECIA_TEST_CUDA"):
    BUILT.append("ocr-cuda")
_OFFICIAL = "docker.io/library/python:3.12-slim-bookworm"
_MADE = "localhost/pecia/test-base:latest"
_USUAL_FILES = 1 << 20
_PULL_S = 120


def cures(podman_says: str) -> str:
    """A containers.conf for machines where podman's defaults do not start a container.

    Where more open files cannot be asked for than there are, fewer are; crun knows no mixed control groups,
    runc does.
    """
    lines = []
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < _USUAL_FILES:
        lines += ["[containers]", 'default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]']
    if podman_says == "v1" and shutil.which("runc"):
        lines += ["[engine]", 'runtime = "runc"']
    return "\n".join([*lines, ""])


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """The program, cured; what the tests made and did not remove goes with the last of them."""
    if os.geteuid():
        pytest.skip(
            "Containers are reached by their addresses here, which needs root: sudo make test-images."
        )
    plain = Podman(os.environ, "")
    conf = tmp_path_factory.mktemp("podman") / "containers.conf"
    conf.write_text(cures(plain("info", "--format={{.Host.CgroupsVersion}}")))
    cured = Podman(os.environ | {"CONTAINERS_CONF": str(conf)}, f"pecia-test-{secrets.token_hex(3)}-")
    yield cured
    for left in cured("ps", "--all", "--quiet", f"--filter=name={cured.prefix}").split():
        cured.attempt("rm", "--force", "--time=0", "--volumes", left)


@pytest.fixture(scope="session")
def base(podman: Podman) -> str:
    """The Python image everything is built on."""
    if named := os.environ.get("PECIA_TEST_BASE"):
        return named
    for image in (_OFFICIAL, _MADE):
        if podman.attempt("image", "exists", image).returncode == 0:
            return image
    with contextlib.suppress(subprocess.TimeoutExpired):
        if podman.attempt("pull", "--quiet", _OFFICIAL, timeout_s=_PULL_S).returncode == 0:
            return _OFFICIAL
    made = podman.program([str(ROOT / "tests/images/make-base"), _MADE], timeout_s=900)
    assert made.returncode == 0, made.stderr
    return _MADE


@pytest.fixture(scope="session")
def marker() -> str:
    """A word that stands in the secrets of the build, and may stand nowhere else."""
    return f"secret-of-the-build-{secrets.token_hex(8)}"


@pytest.fixture(scope="session")
def images(
    podman: Podman, base: str, marker: str, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """Names of the images by what they are, built as `make images` builds them."""
    tag = os.environ.get("PECIA_TEST_IMAGES", "")
    if not tag:
        tag = "test"
        flags = build_flags(tmp_path_factory.mktemp("build"), marker)
        command = [sys.executable, "scripts/images.py", "--engine=podman", f"--base={base}", f"--tag={tag}"]
        command.append(f"--only={','.join(BUILT)}")
        built = podman.program(
            [*command, f"--flags={flags}", "--source=https://example.com/pecia"], timeout_s=5000
        )
        assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return {name: f"localhost/pecia/{name}:{tag}" for name in BUILT}


def build_flags(folder: Path, marker: str) -> str:
    """What lets a build reach the index as this machine's pip does: its settings, as secrets."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    said = {
        key.rpartition(".")[2]: value.strip("'")
        for key, _, value in (line.partition("=") for line in listed.splitlines())
    }
    conf = ["[global]", f"# {marker}"]
    flags = ["--network=host", "--pull=never", f"--secret=id=pip.conf,src={folder / 'pip.conf'}"]
    if authorities := said.get("cert"):
        conf.append("cert = /run/secrets/ca.crt")
        (folder / "ca.crt").write_text(Path(authorities).read_text() + f"\n# {marker}\n")
        flags.append(f"--secret=id=ca.crt,src={folder / 'ca.crt'}")
    conf += [f"{key} = {said[key]}" for key in ("index-url", "timeout", "default-timeout") if key in said]
    (folder / "pip.conf").write_text("\n".join([*conf, ""]))
    return " ".join(flags)


@pytest.fixture(scope="session")
def network(podman: Podman) -> Iterator[str]:
    """A network where containers find each other by name."""
    name = f"{podman.prefix}net"
    podman("network", "create", name)
    yield name
    podman.attempt("network", "rm", "--force", name)


@pytest.fixture
def yard(podman: Podman, network: str, images: Mapping[str, str]) -> Iterator[Yard]:
    """Where a test runs its containers; what they said is shown when it fails."""
    place = Yard(podman, network, images)
    yield place
    for container in place.containers:
        print(f"--- {container.name}\n{container.logs()[-3000:]}")  # noqa: T201 - pytest shows it with a failure
    place.close()
