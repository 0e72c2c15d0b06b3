"""Models: which files may be in a folder, and who vouches for them."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pecia_core.errors import Unavailable
from pecia_models.checking import Trust, check
from pecia_models.signature import sign, signed

# Signed by the command of the project model-signing 1.1.1: python -m model_signing sign key.
OPENSSF = Path(__file__).with_name("signed_model")
FILES = [
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "extra/more.txt",
]
PEM = serialization.Encoding.PEM
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo


class Signer:
    """A pair of keys."""

    def __init__(self, curve: ec.EllipticCurve | None = None) -> None:
        self.key = key = ec.generate_private_key(curve or ec.SECP256R1())
        private, open_ = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.private = key.private_bytes(PEM, private, open_)
        self.public = key.public_key().public_bytes(PEM, PUBLIC).decode()


@pytest.fixture(scope="module")
def signer() -> Signer:
    """Whose key is pinned."""
    return Signer()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, not signed."""
    for name in FILES:
        (tmp_path / "model" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "model" / name).write_text(f"this is {name}")
    return tmp_path / "model"


def refused(folder: Path, public_key: str = "") -> str:
    """Why it is not loaded."""
    with pytest.raises(Unavailable) as caught:
        check(folder, lambda _: None, public_key)
    return caught.value.message


def test_what_the_openssf_tool_signed_is_let_through() -> None:
    """Its files, its key, its signature."""
    told: list[float] = []
    key = (OPENSSF / "signer.pub").read_text()
    assert check(OPENSSF / "model", told.append, key) is Trust.SIGNED
    assert told[-1] == 1.0
    assert set(signed(OPENSSF / "model", key)) == {"a.safetensors", "config.json", "sub/t.json"}


def test_we_sign_the_very_statement_that_tool_does(tmp_path: Path, signer: Signer) -> None:
    """So that it verifies ours, too."""
    shutil.copytree(OPENSSF / "model", tmp_path / "m")

    def statement() -> object:
        bundle = json.loads((tmp_path / "m/model.sig").read_bytes())
        assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
        found = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        found["predicate"]["serialization"]["ignore_paths"].sort()
        return found

    theirs = statement()
    sign(tmp_path / "m", signer.private)
    assert statement() == theirs
    assert check(tmp_path / "m", lambda _: None, signer.public) is Trust.SIGNED


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda one: one.name)
def test_every_curve_of_the_standard(folder: Path, curve: ec.EllipticCurve) -> None:
    """Each with the hash that belongs to it."""
    signer = Signer(curve)
    sign(folder, signer.private)
    assert check(folder, lambda _: None, signer.public) is Trust.SIGNED


@pytest.mark.parametrize("name", FILES)
def test_one_byte_in_any_file_is_refused_by_name(folder: Path, signer: Signer, name: str) -> None:
    """Weights, config, tokenizer, index, and whatever else is there; so are files that are gone or new."""
    sign(folder, signer.private)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    assert f"{name} is not the file that model.sig lists" in refused(folder, signer.public)
    (folder / name).unlink()
    assert f"{name} of model.sig are missing" in refused(folder, signer.public)
    sign(folder, signer.private)
    (folder / name).write_text("new")
    assert f"model.sig does not list {name}" in refused(folder, signer.public)


def test_a_pinned_key_wants_a_signature_of_that_key(folder: Path, signer: Signer) -> None:
    """None, or somebody else's, will not do; without a pinned key none is asked for."""
    assert "is not signed, and a key is pinned" in refused(folder, signer.public)
    assert check(folder, lambda _: None) is Trust.UNKNOWN
    sign(folder, Signer().private)
    assert "not signed with the key that is pinned" in refused(folder, signer.public)
    assert check(folder, lambda _: None) is Trust.UNKNOWN


def test_a_list_that_was_changed_after_signing_is_refused(folder: Path, signer: Signer) -> None:
    """Though each of its files is as it says."""
    path = sign(folder, signer.private)
    bundle = json.loads(path.read_bytes())
    (folder / "config.json").write_text("another")
    other = sign(folder, Signer().private)
    bundle["dsseEnvelope"]["payload"] = json.loads(other.read_bytes())["dsseEnvelope"]["payload"]
    path.write_text(json.dumps(bundle))
    assert "not signed with the key" in refused(folder, signer.public)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(predicateType="https://elsewhere"),
        lambda said: said["predicate"]["resources"].append(said["predicate"]["resources"][0]),
        lambda said: said["predicate"]["resources"][0].update(name="../../etc/passwd"),
        lambda said: said["predicate"]["resources"][0].update(algorithm="md5"),
        lambda said: said["predicate"]["serialization"].update(method="shards"),
        lambda said: said["subject"][0]["digest"].update(sha256="00"),
        lambda said: said.pop("predicate"),
    ],
)
def test_a_signed_statement_of_another_kind_is_refused(
    folder: Path, signer: Signer, change: Callable[[Any], object]
) -> None:
    """The right key is not enough: it has to be a list of files."""
    path = sign(folder, signer.private)
    bundle = json.loads(path.read_bytes())
    said = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(said)
    payload = json.dumps(said).encode()
    signature = signer.key.sign(
        b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload), ec.ECDSA(SHA256())
    )
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    bundle["dsseEnvelope"]["signatures"] = [{"sig": base64.b64encode(signature).decode()}]
    path.write_text(json.dumps(bundle))
    assert "is no signature of files" in refused(folder, signer.public)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_damaged_signature_is_refused_and_nothing_breaks(
    folder: Path, signer: Signer, place: float, bit: int
) -> None:
    """Whatever bit of the envelope it is; but for the name of the key, at which nobody looks."""
    path = sign(folder, signer.private)
    data = bytearray(path.read_bytes())
    first, last = data.index(b"payload"), data.index(b'", "keyid"')
    data[first + int(place * (last - first))] ^= 1 << bit
    path.write_bytes(data)
    assert refused(folder, signer.public)


@pytest.mark.parametrize(
    "junk", [b"", b"{}", b"[]", b"null", b'{"dsseEnvelope": 1}', b"\xff\xfe", b"[" * 100_000]
)
def test_junk_is_no_signature(folder: Path, signer: Signer, junk: bytes) -> None:
    """And no crash."""
    (folder / "model.sig").write_bytes(junk)
    assert "is no signature of files" in refused(folder, signer.public)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.PT", "sub/weights.ckpt", "optimizer.pkl"])
def test_what_could_run_code_is_refused_by_name(folder: Path, signer: Signer, name: str) -> None:
    """Signed or not; and it is not signed, either."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\x80\x04.")
    assert f"{name} can run code when read" in refused(folder)
    with pytest.raises(Unavailable, match="can run code"):
        sign(folder, signer.private)


def test_a_list_beside_the_files_has_to_name_all_that_is_read(folder: Path) -> None:
    """Tokenizer and config as well as weights; texts about the model need not be listed."""
    lines = {name: f"{'0' * 64}  {name}\n" for name in FILES if name.endswith(("json", "safetensors"))}
    for name in lines:
        (folder / "sha256sums").write_text("".join(line for listed, line in lines.items() if listed != name))
        assert f"sha256sums does not list {name}" in refused(folder)
    (folder / "sha256sums").write_text("".join(lines.values()))
    assert "is not the file that sha256sums lists" in refused(folder)


def test_a_key_that_is_none_is_said(folder: Path, signer: Signer) -> None:
    """Before anything is loaded."""
    path = sign(folder, signer.private)
    assert "cannot be read" in refused(folder, "nonsense")
    other = rsa.generate_private_key(65537, 2048).public_key()
    assert "EC keys" in refused(folder, other.public_bytes(PEM, PUBLIC).decode())
    path.write_bytes(b" " * (16 * 1024 * 1024 + 1))
    assert "too large" in refused(folder, signer.public)


def test_the_command_signs_and_verifies(folder: Path, tmp_path: Path, signer: Signer) -> None:
    """And says why not, with status 1."""
    (tmp_path / "key.pem").write_bytes(signer.private)
    (tmp_path / "key.pub").write_text(signer.public)

    def ran(what: str, key: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pecia_models", what, str(folder), "--key", str(tmp_path / key)]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    assert "is not signed" in ran("verify", "key.pub").stderr
    assert ran("sign", "key.pem").returncode == 0
    assert "files that were signed" in ran("verify", "key.pub").stdout
    (folder / "config.json").write_text("another")
    done = ran("verify", "key.pub")
    assert (done.returncode, "config.json is not the file" in done.stderr) == (1, True)
    assert ran("sign", "key.pub").returncode == 1
