"""Builds the images of services/images.toml with docker or podman: `make images`.

It needs nothing but Python, and no environment of its own.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "services/images.toml"
_MB = 1_000_000


@dataclass(frozen=True)
class Image:
    """One image: where it is described, and the 10^6 bytes it may have."""

    name: str
    dockerfile: str
    greatest_mb: int
    by_name_only: bool = False


def listed() -> list[Image]:
    """All images, in the order of the list."""
    return [Image(name, **said) for name, said in tomllib.loads(LIST.read_text()).items()]


def version() -> str:
    """The version of what is built, which is also the chart's appVersion."""
    return str(tomllib.loads((ROOT / "services/gateway/pyproject.toml").read_text())["project"]["version"])


def parsed(arguments: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    say = parser.add_argument
    say("--only", default="", help="names, separated by commas; without it all but ocr-cuda")
    say("--tag", default=version(), help="tag of every image (%(default)s)")
    say("--registry", default="", help="goes in front of the names: registry.example.com/team")
    say("--base", default="", help="another Python image than the Dockerfiles name: a mirror's, for instance")
    say("--digest", default="", help="sha256:... of that image, which pins it")
    say("--engine", default="", help="docker or podman; without it the first of them that works")
    say("--source", default="", help="address of the sources, for the label")
    say("--flags", default="", help="more arguments for every build, such as --secret id=pip.conf,src=...")
    say("--platform", default="", help="such as linux/amd64; without it that of this machine")
    say("--latest", action="store_true", help="tag each image latest, too")
    say("--push", action="store_true", help="push each image when it is built")
    say("--print", action="store_true", help="print every command and run none")
    asked = parser.parse_args(arguments)
    names = [image.name for image in listed()]
    unknown = [name for name in asked.only.split(",") if name and name not in names]
    if unknown:
        parser.error(f"There is no image {', '.join(unknown)}; there are {', '.join(names)}.")
    return asked


def chosen(only: str) -> Iterator[Image]:
    """The images asked for."""
    names = [name for name in only.split(",") if name]
    for image in listed():
        if image.name in names or not (names or image.by_name_only):
            yield image


def working_engine(named: str) -> str:
    """The program that builds: docker or podman.

    Raises:
        SystemExit: neither works.
    """
    for engine in [named] if named else ["docker", "podman"]:
        if (
            shutil.which(engine)
            and subprocess.run([engine, "info"], capture_output=True, check=False).returncode == 0
        ):
            return engine
    raise SystemExit(
        f"{named or 'Neither docker nor podman'} does not run here: apt-get install podman, for instance."
    )


def build_command(engine: str, image: Image, asked: argparse.Namespace) -> list[str]:
    """The command that builds an image from the repository's root."""
    command = [engine, "build", "--file", image.dockerfile, "--tag", reference(image, asked)]
    if asked.latest:
        command += ["--tag", reference(image, asked, "latest")]
    if asked.platform:
        command[2:2] = ["--platform", asked.platform]
    if Path(engine).name == "podman":
        command += ["--format", "docker"]  # the other format knows no HEALTHCHECK
    labels = {"version": version(), "revision": revision(), "source": asked.source}
    command += [f"--label=org.opencontainers.image.{name}={value}" for name, value in labels.items() if value]
    if asked.base:
        command.append(f"--build-arg=PYTHON_IMAGE={asked.base}")
    if asked.digest:
        command.append(f"--build-arg=PYTHON_DIGEST=@{asked.digest}")
    return [*command, *shlex.split(asked.flags), "."]


def reference(image: Image, asked: argparse.Namespace, tag: str = "") -> str:
    """The image's whole name."""
    prefix = f"{asked.registry.rstrip('/')}/" if asked.registry else ""
    return f"{prefix}pecia/{image.name}:{tag or asked.tag}"


def revision() -> str:
    """The commit, with a mark where files were changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def size_mb(engine: str, name: str) -> int:
    """10^6 bytes of an image on disk."""
    command = [engine, "image", "inspect", "--format", "{{.Size}}", name]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) // _MB


def show(asked: argparse.Namespace) -> int:
    """The commands that would run, one a line."""
    engine = asked.engine or "docker"
    for image in chosen(asked.only):
        print(" ", shlex.join(build_command(engine, image, asked)))
        if asked.push:
            print(" ", shlex.join([engine, "push", reference(image, asked)]))
    return 0


def main(arguments: list[str]) -> int:
    """Build, weigh and perhaps push; gives the exit status."""
    asked = parsed(arguments)
    if asked.print:
        return show(asked)
    engine = working_engine(asked.engine)
    for image in chosen(asked.only):
        name = reference(image, asked)
        print(f"Building {name}.", flush=True)
        subprocess.run(build_command(engine, image, asked), cwd=ROOT, check=True)
        size = size_mb(engine, name)
        print(f"{name} has {size} MB; {image.greatest_mb} are allowed.", flush=True)
        if size > image.greatest_mb:
            print(f"Find out what it grew by, or raise it in {LIST.relative_to(ROOT)}.", file=sys.stderr)
            return 1
        if asked.push:
            subprocess.run([engine, "push", name], check=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{shlex.join(error.cmd)} failed; what it said stands above.")
