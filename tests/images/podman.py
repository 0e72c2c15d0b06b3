"""Podman as the tests of the images use it: one network, containers as restricted as pods are."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

_Found = TypeVar("_Found")
# What the chart's pods are allowed: nothing but their own /tmp.
RESTRICTED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp:rw,nosuid,nodev,size=512m",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--user=10001:10001",
    "--pids-limit=256",
)


class Podman:
    """The program, with the environment that it needs on this machine."""

    def __init__(self, environment: Mapping[str, str], prefix: str) -> None:
        """What is made here carries `prefix` in its name, so that it is found and removed."""
        self._environment = dict(environment)
        self.prefix = prefix

    def __call__(self, *arguments: str, timeout_s: float = 120) -> str:
        """What it prints.

        Raises:
            RuntimeError: it failed; with what it said.
        """
        ended = self.attempt(*arguments, timeout_s=timeout_s)
        if ended.returncode:
            raise RuntimeError(f"podman {' '.join(arguments)}: {ended.stderr.strip()[-2000:]}")
        return ended.stdout.strip()

    def attempt(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """A call that may fail."""
        return subprocess.run(
            ["podman", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def program(self, command: Sequence[str], *, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Another program that calls podman, from the repository's root."""
        return subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def inside(self, image: str, *command: str) -> str:
        """What a program prints that runs in an image in place of its own, as restricted as that."""
        first, *rest = command
        return self("run", "--rm", *RESTRICTED, "--entrypoint", first, image, *rest, timeout_s=300)


@dataclass(frozen=True)
class Container:
    """One that runs, or ran."""

    podman: Podman
    name: str
    network: str

    @property
    def address(self) -> str:
        """Its address on the network."""
        return str(self.state()["NetworkSettings"]["Networks"][self.network]["IPAddress"])

    def state(self) -> dict[str, Any]:
        """All that podman knows about it."""
        return dict(json.loads(self.podman("container", "inspect", self.name))[0])

    @property
    def exit_code(self) -> int:
        """How it ended."""
        return int(self.state()["State"]["ExitCode"])

    def logs(self) -> str:
        """What it said, both streams."""
        ended = self.podman.attempt("logs", self.name)
        return ended.stdout + ended.stderr

    def stop(self, grace_s: int) -> float:
        """SIGTERM, and SIGKILL after `grace_s`; gives the seconds it took."""
        begun = time.monotonic()
        self.podman("stop", "--time", str(grace_s), self.name, timeout_s=grace_s + 60)
        return time.monotonic() - begun

    def kill(self) -> None:
        """SIGKILL, as when a node is lost."""
        self.podman("kill", "--signal=KILL", self.name)

    def healthy(self) -> bool:
        """Whether the image's own HEALTHCHECK is content, run once now."""
        return self.podman.attempt("healthcheck", "run", self.name).returncode == 0

    def execute(self, *command: str) -> str:
        """What a program prints that runs beside its own."""
        return self.podman("exec", self.name, *command)


@dataclass
class Yard:
    """One test's containers, on one network with names; all end with it."""

    podman: Podman
    network: str
    images: Mapping[str, str]
    containers: list[Container] = field(default_factory=list)

    def run(self, image: str, *options: str, alias: str = "", **environment: str) -> Container:
        """Start one of our images, restricted; `alias` = a name that several may share, as a Service's."""
        name = f"{self.podman.prefix}{image}-{len(self.containers)}"
        said = [f"--env={key}={value}" for key, value in environment.items()]
        named = [f"--network-alias={alias}"] if alias else []
        if not any(option.startswith("--network=") for option in options):
            named.append(f"--network={self.network}")
        self.podman(
            "run",
            "--detach",
            f"--name={name}",
            *named,
            *RESTRICTED,
            *said,
            *options,
            self.images[image],
        )
        container = Container(self.podman, name, self.network)
        self.containers.append(container)
        return container

    def close(self) -> None:
        """Remove all of it."""
        for container in self.containers:
            self.podman.attempt("rm", "--force", "--time=0", "--volumes", container.name)


def until(look: Callable[[], _Found], what: str, within_s: float = 180) -> _Found:
    """Look again and again until there is something true; an httpx error is nothing yet.

    Raises:
        TimeoutError: it took too long.
    """
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{what} took longer than {within_s:.0f} s")
