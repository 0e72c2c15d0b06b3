"""The program that fetches weights, as a process, from a server that speaks as S3 does, and a hub."""

import asyncio
import hashlib
import http.server
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from pecia_operator.weights.failures import WeightsFailure
from pecia_operator.weights.fetching import fetch
from pecia_operator.weights.settings import Settings

_FILES = {
    "config.json": b'{"model_type": "deepseek_vl_v2"}',
    "model-00001-of-00002.safetensors": random.Random(1).randbytes(9 << 20),  # noqa: S311  to be repeated
    "model-00002-of-00002.safetensors": random.Random(2).randbytes(3 << 20),  # noqa: S311
    "parts/tokenizer.json": b"{}",
}
_ALL = sum(map(len, _FILES.values()))


def sums(files: dict[str, bytes]) -> bytes:
    """What `sha256sum` prints of them."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()


@dataclass
class Bucket:
    """A bucket behind a real server, and the environment of who reads it."""

    endpoint: str
    name: str

    def put(self, files: dict[str, bytes]) -> None:
        """Upload below the folder v1."""
        for name, data in files.items():
            obstore.put(self._store(), f"v1/{name}", data)

    def remove(self, name: str) -> None:
        """Delete one."""
        obstore.delete(self._store(), f"v1/{name}")

    def _store(self) -> S3Store:
        keys = {"access_key_id": "test", "secret_access_key": "test"}
        place = {"endpoint": self.endpoint, "region": "us-east-1"}
        return S3Store(self.name, config={**place, **keys}, client_options={"allow_http": True})  # type: ignore[arg-type]

    def environment(self, folder: Path | None = None, **more: str) -> dict[str, str]:
        """What the operator gives the container."""
        chosen = {
            "PECIA_WEIGHTS__SOURCE": f"s3://{self.name}/v1",
            "PECIA_WEIGHTS__ENDPOINT": self.endpoint,
            "PECIA_WEIGHTS__WAIT_S": "0.05",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PATH": os.environ["PATH"],
        }
        return chosen | ({"PECIA_WEIGHTS__FOLDER": str(folder)} if folder else {}) | more


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """A server that speaks as S3 does."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(moto: str, request: pytest.FixtureRequest) -> Bucket:
    """A whole checkpoint with its manifest."""
    name = f"b{abs(hash(request.node.name)) % 10**9}"
    httpx.put(f"{moto}/{name}").raise_for_status()
    bucket = Bucket(moto, name)
    bucket.put(_FILES | {"sha256sums": sums(_FILES)})
    return bucket


@dataclass
class Ended:
    """How the program ended: its status and the last line of its log."""

    status: int
    said: dict[str, Any]


def start(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """The program, as the container runs it."""
    command = [sys.executable, "-m", "pecia_operator.weights"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def end_of(process: "subprocess.Popen[bytes]") -> Ended:
    """Wait for it."""
    _, log = process.communicate(timeout=120)
    return Ended(process.returncode, json.loads(log.decode().strip().splitlines()[-1]))


def run(environment: dict[str, str]) -> Ended:
    """The same in this process, which need not be started; what `main` makes of it is shown once."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            return Ended(0, {"bytes": asyncio.run(fetch(Settings().weights))})
        except WeightsFailure as error:
            return Ended(error.status, {"reason": error.message})


def test_good_weights_are_brought_whole(bucket: Bucket, tmp_path: Path) -> None:
    """Every file and the manifest are there, and nothing else; run again, nothing is asked for twice."""
    ended = end_of(start(bucket.environment(tmp_path)))
    assert (ended.status, ended.said["bytes"]) == (0, _ALL)
    there = {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert there == _FILES | {"sha256sums": sums(_FILES)}
    assert run(bucket.environment(tmp_path)).said["bytes"] == 0


def test_good_weights_are_checked_without_being_kept(bucket: Bucket) -> None:
    """All of it is read, and no folder is needed."""
    ended = run(bucket.environment())
    assert (ended.status, ended.said["bytes"]) == (0, _ALL)


def test_a_missing_file_is_named(bucket: Bucket, tmp_path: Path) -> None:
    """Status 10, and no manifest is left that would say that all is there."""
    bucket.remove("config.json")
    ended = end_of(start(bucket.environment(tmp_path)))
    assert ended.status == 10
    assert "There is no config.json" in ended.said["reason"]
    assert not (tmp_path / "sha256sums").exists()


def test_a_missing_bucket_is_named(bucket: Bucket) -> None:
    """Status 10, with what to look at."""
    ended = run(bucket.environment() | {"PECIA_WEIGHTS__SOURCE": "s3://no-such-bucket/v1"})
    assert ended.status == 10
    assert "bucket, prefix or path" in ended.said["reason"]


def test_a_changed_file_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    """Status 11; the file never gets its name, so that nobody can load it."""
    wrong = b"x" + _FILES["model-00001-of-00002.safetensors"][1:]
    bucket.put({"model-00001-of-00002.safetensors": wrong})
    ended = run(bucket.environment(tmp_path))
    assert ended.status == 11
    assert "model-00001-of-00002.safetensors has the sha256" in ended.said["reason"]
    assert not (tmp_path / "model-00001-of-00002.safetensors").exists()
    assert run(bucket.environment()).status == 11


def test_another_manifest_than_the_pinned_one_is_refused(bucket: Bucket) -> None:
    """One digest pins every byte: files and a manifest that agree are not enough."""
    right = hashlib.sha256(sums(_FILES)).hexdigest()
    assert run(bucket.environment(PECIA_WEIGHTS__MANIFEST_SHA256=right)).status == 0
    ended = run(bucket.environment(PECIA_WEIGHTS__MANIFEST_SHA256="0" * 64))
    assert ended.status == 11
    assert "spec.weights.manifest.sha256" in ended.said["reason"]


def test_denied_is_told_from_missing(bucket: Bucket) -> None:
    """Status 12 for credentials that open nothing, with the right that is needed."""
    httpx.post(f"{bucket.endpoint}/moto-api/reset-auth", content=b"0").raise_for_status()
    try:
        ended = run(bucket.environment())
    finally:
        httpx.post(f"{bucket.endpoint}/moto-api/reset-auth", content=b"inf")
    assert ended.status == 12
    assert "s3:GetObject" in ended.said["reason"]


def test_killed_in_the_middle_and_run_again(bucket: Bucket, tmp_path: Path) -> None:
    """What had come is not asked for again, and the result is whole."""
    with Narrow(bucket.endpoint, after=8 << 20) as line:
        process = start(bucket.environment(tmp_path) | {"PECIA_WEIGHTS__ENDPOINT": line.url})
        part = tmp_path / "model-00001-of-00002.safetensors.part"
        end = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size >= 2 << 20):
            assert time.monotonic() < end, list(tmp_path.iterdir())
            time.sleep(0.01)
        process.kill()
        process.communicate()
    assert not (tmp_path / "sha256sums").exists()
    ended = run(bucket.environment(tmp_path))
    assert ended.status == 0
    assert ended.said["bytes"] <= _ALL - (2 << 20)
    assert (tmp_path / "model-00001-of-00002.safetensors").read_bytes() == _FILES[part.stem]


def test_the_wrong_half_is_thrown_away(bucket: Bucket, tmp_path: Path) -> None:
    """A half of something else, left by whoever was here before, does not spoil what comes."""
    (tmp_path / "model-00001-of-00002.safetensors.part").write_bytes(b"\0" * (1 << 20))
    (tmp_path / "config.json.part").write_bytes(b"longer than the file is" * 100)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/tokenizer.json").write_bytes(b"an older one")
    assert run(bucket.environment(tmp_path)).status == 0
    assert (tmp_path / "model-00001-of-00002.safetensors").read_bytes() == _FILES[
        "model-00001-of-00002.safetensors"
    ]
    assert (tmp_path / "parts/tokenizer.json").read_bytes() == b"{}"


def test_a_full_disk_says_what_to_raise(bucket: Bucket) -> None:
    """It may be tried again, and the field that helps is named."""
    ended = run(bucket.environment(Path("/dev/full"), PECIA_WEIGHTS__ATTEMPTS="1"))
    assert ended.status == 1
    assert "cannot be written" in ended.said["reason"]


def test_a_folder_is_checked_where_it_is(tmp_path: Path) -> None:
    """A mounted volume: right, then with a byte changed, then not there."""
    for name, data in (_FILES | {"sha256sums": sums(_FILES)}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    environment = {"PECIA_WEIGHTS__SOURCE": str(tmp_path), "PATH": os.environ["PATH"]}
    assert run(environment).status == 0
    (tmp_path / "config.json").write_bytes(b"{}")
    assert run(environment).status == 11
    assert run(environment | {"PECIA_WEIGHTS__SOURCE": str(tmp_path / "v2")}).status == 10


class Hub(http.server.SimpleHTTPRequestHandler):
    """As Hugging Face: a key is needed, and files lie elsewhere, where the redirect leads."""

    def do_GET(self) -> None:
        if self.path.startswith("/a/b/resolve/"):
            if self.headers.get("Authorization") != "Bearer hf_key":
                self.send_error(401)
                return
            self.send_response(302)
            self.send_header("Location", f"/cdn/{self.path.rsplit('/resolve/0/', maxsplit=1)[1]}")
            self.end_headers()
            return
        super().do_GET()

    do_HEAD = do_GET  # noqa: N815  the library's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def test_a_repository_on_a_hub(tmp_path: Path) -> None:
    """With a manifest of one's own; without the key it is denied."""
    small = {name: data for name, data in _FILES.items() if len(data) < 100}
    for name, data in small.items():
        (tmp_path / "cdn" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cdn" / name).write_bytes(data)
    (tmp_path / "sums").write_bytes(sums(small))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            "PECIA_WEIGHTS__SOURCE": f"http://127.0.0.1:{server.server_port}/a/b/resolve/0",
            "PECIA_WEIGHTS__MANIFEST_FILE": str(tmp_path / "sums"),
            "PATH": os.environ["PATH"],
        }
        right = run(environment | {"PECIA_WEIGHTS__TOKEN": "hf_key"})
        assert (right.status, right.said["bytes"]) == (0, sum(map(len, small.values())))
        assert run(environment).status == 12
        server.shutdown()


@dataclass
class Narrow:
    """A line to a server that stops, without breaking, after so many bytes."""

    target: str
    after: int
    url: str = ""
    _open: list[Any] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        host, port = self.target.removeprefix("http://").split(":")
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((host, int(port)))
            self._open += [client, server]
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: Any, sink: Any, counted: bool) -> None:
        try:
            while data := source.recv(65536):
                if counted:
                    self.after -= len(data)
                    if self.after < 0:
                        return
                sink.sendall(data)
        except OSError:
            return
