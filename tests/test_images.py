"""The images as they are written down: pinned, small, without secrets. `make test-images` runs them."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIST = tomllib.loads((ROOT / "services/images.toml").read_text())
FILES = [str(said["dockerfile"]) for said in LIST.values()]
EXPORTS = sorted((ROOT / "requirements/images").glob("*.txt"))
WORKSPACE = {
    tomllib.loads(path.read_text())["project"]["name"]: path.parent
    for path in [
        ROOT / "protos/pyproject.toml",
        *ROOT.glob("libs/*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
    ]
}
PIN = re.compile(r"(?m)^([a-z0-9-]+)==([\w.]+)")


def text(dockerfile: str) -> str:
    """A Dockerfile with its continued lines joined and its comments gone."""
    written = re.sub(r"(?m)^#.*\n", "", (ROOT / dockerfile).read_text())
    return re.sub(r"\\\n\s*", "", written)


def last_stage(dockerfile: str) -> str:
    """What ships: everything after the last FROM."""
    return text(dockerfile).rpartition("\nFROM ")[2]


def pins(path: Path) -> dict[str, set[str]]:
    """Names and versions of an export; a name may have one version for each Python."""
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(path.read_text()):
        found.setdefault(name, set()).add(version)
    return found


def names_of(image: str) -> set[str]:
    """Everything an image installs from the index."""
    return set(pins(ROOT / f"requirements/images/{image}.txt"))


def members(distribution: str) -> set[str]:
    """Folders of a distribution and of all in this repository that it stands on."""
    folder = WORKSPACE[distribution]
    wanted = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[^a-z-]", requirement)[0] for requirement in wanted}
    return {str(folder.relative_to(ROOT))}.union(*(members(name) for name in names & WORKSPACE.keys()))


def test_every_dockerfile_is_listed() -> None:
    """`make images` knows all of them, and each has a greatest size."""
    assert sorted(FILES) == sorted(
        str(path.relative_to(ROOT)) for path in ROOT.glob("services/*/Dockerfile*")
    )
    assert all(0 < said["greatest_mb"] < 10_000 for said in LIST.values())


@pytest.mark.parametrize("dockerfile", FILES)
def test_hadolint_finds_nothing(dockerfile: str) -> None:
    """The linter of Dockerfiles has no complaint."""
    program = Path(sys.executable).parent / "hadolint"
    checked = subprocess.run(
        [program, "--no-color", dockerfile], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.stdout + checked.stderr == ""


@pytest.mark.parametrize("image", LIST)
def test_the_base_can_be_pinned(image: str) -> None:
    """Every stage stands on one tagged image, whose name and digest a build may say."""
    stages = re.findall(r"(?m)^FROM (\S+)", text(LIST[image]["dockerfile"]))
    assert set(stages) == {"${PYTHON_IMAGE}${PYTHON_DIGEST}"}
    arguments = dict(re.findall(r"(?m)^ARG (\w+)=(.*)$", text(LIST[image]["dockerfile"])))
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-\w+", arguments["PYTHON_IMAGE"])


@pytest.mark.parametrize("image", LIST)
def test_what_ships_is_restricted(image: str) -> None:
    """No root, a health check without curl, a first process that takes signals, labels."""
    ships = last_stage(LIST[image]["dockerfile"])
    assert "USER 10001:10001" in ships
    assert re.search(r"HEALTHCHECK .*--start-period=60s --retries=3 CMD python probe\.py ", ships)
    assert re.search(r'ENTRYPOINT \["tini", "--", "python", "-m", "pecia_\w+"\]', ships)
    assert "PYTHONDONTWRITEBYTECODE=1" in ships
    for label in ("licenses", "title", "description"):
        assert f"org.opencontainers.image.{label}=" in ships
    assert "curl" not in ships
    assert "pip install" not in ships


@pytest.mark.parametrize("image", LIST)
def test_only_what_is_pinned_is_installed(image: str) -> None:
    """From the index by hash alone; a wheel that a build names brings its own checksum and nothing else."""
    installs = re.findall(r"python -m pip [^&;\n]*install[^&;\n]*", text(LIST[image]["dockerfile"]))
    assert len(installs) >= 3
    for command in installs:
        assert "--require-hashes" in command or "--no-deps" in command
    assert re.search(r"(?m)^ADD ", text(LIST[image]["dockerfile"])) is None


@pytest.mark.parametrize("image", LIST)
def test_an_image_holds_its_own_packages(image: str) -> None:
    """Of this repository it copies what its service stands on, and nothing more."""
    copied = re.findall(r"(?m)^COPY (\S+) \1$", text(LIST[image]["dockerfile"]))
    assert set(copied) == members(f"pecia-{image.removesuffix('-cuda')}")


@pytest.mark.parametrize("image", LIST)
def test_no_secret_is_an_argument(image: str) -> None:
    """What is secret at build time is mounted: arguments and variables stay in an image's history."""
    said = re.findall(r"(?m)^(?:ARG|ENV) (.*)$", text(LIST[image]["dockerfile"]))
    assert not re.search(r"(?i)token|password|secret|_key\b|index_url", " ".join(said))


@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: str(path.stem))
def test_exports_are_pinned_and_fresh(export: Path) -> None:
    """Each requirement has a hash, no index is named, and versions are those that the tests ran with."""
    lines = export.read_text()
    assert "://" not in lines
    assert len(re.findall(r"--hash=sha256:", lines)) >= len(PIN.findall(lines)) > 0
    tested = pins(ROOT / "requirements/dev.txt")
    stale = {
        name: versions for name, versions in pins(export).items() if versions - tested.get(name, versions)
    }
    assert stale == {}, "make lock"


def test_an_image_holds_only_what_it_runs() -> None:
    """No torch outside of the GPU's image, no gRPC in the page, no web framework in the ocr service."""
    assert [image for image in LIST if names_of(image) & {"torch", "transformers"}] == ["ocr-cuda"]
    assert not names_of("ui") & {"grpcio", "sqlalchemy", "pypdfium2", "onnxruntime"}
    for image in ("gateway", "worker", "ui"):
        assert not names_of(image) & {"onnx", "onnxruntime", "openvino", "opencv-python-headless", "rapidocr"}
    for image in ("ocr", "ocr-cuda"):
        assert not names_of(image) & {"fastapi", "starlette", "uvicorn", "streamlit", "sqlalchemy", "asyncpg"}
    assert not any("pytest" in pins(export) for export in EXPORTS)


def test_the_gpu_image_has_what_a_gpu_needs() -> None:
    """CUDA's libraries by hash, the driver asked for, kernels by argument, Indonesian."""
    assert {"torch", "transformers", "safetensors", "nvidia-cudnn-cu13", "triton"} <= names_of("ocr-cuda")
    assert names_of("ocr") <= names_of("ocr-cuda")
    ships = last_stage("services/ocr/Dockerfile.gpu")
    assert "NVIDIA_VISIBLE_DEVICES=all" in ships
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in ships
    assert "tesseract-ocr-ind" in ships
    assert "MODEL_PATH" not in ships, "weights are mounted, and whoever mounts them says where"
    assert re.search(r"(?m)^ARG FLASH_ATTN_WHEEL=$", text("services/ocr/Dockerfile.gpu"))


def test_the_gpu_image_differs_in_little() -> None:
    """Both images of the ocr service are the same file but for what a GPU needs."""

    def lines(name: str) -> set[str]:
        return set(re.sub(r"ocr-cuda", "ocr", text(f"services/ocr/{name}")).splitlines())

    assert len(lines("Dockerfile") - lines("Dockerfile.gpu")) <= 3
    assert len(lines("Dockerfile.gpu") - lines("Dockerfile")) <= 6


def test_only_sources_reach_the_builder() -> None:
    """Everything is left out but what images are made of; neither tests nor keys are in that."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in ignored if line and not line.startswith("#")) == "*"
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert kept == {"LICENSE", "libs", "protos", "requirements/images", "services"}
    assert {"**/tests", "**/.*", "**/*.pem", "**/*.key"} <= set(ignored)


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """A docker that builds nothing, writes down how it is called, and says that images have 400 MB."""
    program = tmp_path / "docker"
    program.write_text(
        f"#!/bin/sh\nexec 3>>{tmp_path}/calls\n"
        'for word in "$@"; do printf "%s\\t" "$word" >&3; done; echo >&3\n'
        '[ "$2" = inspect ] && echo 400999999\nexit 0\n'
    )
    program.chmod(0o755)
    return program


def make_images(docker: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """`make images` with that docker: how it ended, and the calls of docker."""
    environment = os.environ | {"PATH": f"{docker.parent}:{os.environ['PATH']}"}
    command = [sys.executable, "scripts/images.py", "--engine=docker", *options]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    calls = docker.parent / "calls"
    written = calls.read_text().splitlines() if calls.exists() else []
    return ended, [line.rstrip("\t").split("\t") for line in written]


def test_images_are_named_weighed_and_pushed(docker: Path) -> None:
    """The registry goes in front, the digest behind the base; flags go through; what is built is pushed."""
    ended, calls = make_images(
        docker,
        "--only=gateway",
        "--registry=registry.example.com/team",
        "--tag=7",
        "--push",
        "--source=https://example.com/pecia",
        "--base=mirror.example.com/python:3.12",
        "--digest=sha256:abc",
        "--flags=--secret 'id=pip.conf,src=a b'",
    )
    assert ended.returncode == 0, ended.stderr
    build = next(call for call in calls if call[0] == "build")
    name = "registry.example.com/team/pecia/gateway:7"
    assert build[1:5] == ["--file", "services/gateway/Dockerfile", "--tag", name]
    assert "--build-arg=PYTHON_IMAGE=mirror.example.com/python:3.12" in build
    assert "--build-arg=PYTHON_DIGEST=@sha256:abc" in build
    labels = dict(re.findall(r"--label=org\.opencontainers\.image\.(\w+)=(\S+)", " ".join(build)))
    assert labels.keys() == {"version", "revision", "source"}
    assert build[-3:] == ["--secret", "id=pip.conf,src=a b", "."]
    assert ["push", name] in calls
    assert "has 400 MB" in ended.stdout


def test_an_image_that_has_grown_is_refused(docker: Path) -> None:
    """Beyond its size nothing is pushed, and the message says where the size stands."""
    docker.write_text(docker.read_text().replace("400999999", "10000000000"))
    ended, calls = make_images(docker, "--only=worker", "--push")
    assert ended.returncode == 1
    assert "services/images.toml" in ended.stderr
    assert not any(call[0] == "push" for call in calls)


def test_the_large_image_is_built_by_name_only(docker: Path) -> None:
    """Without names all are built but the one for GPUs; an unknown name is refused with those there are."""
    docker.write_text(docker.read_text().replace("400999999", "1000000"))
    _, calls = make_images(docker)
    built = [call[2] for call in calls if call[0] == "build"]
    assert sorted(built) == sorted(file for file in FILES if not file.endswith(".gpu"))
    ended, _ = make_images(docker, "--only=gatway")
    assert ended.returncode == 2
    assert "gatway" in ended.stderr
    assert "gateway" in ended.stderr
