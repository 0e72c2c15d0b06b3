"""Where a key is pinned, weights that it has not signed never come to a pod."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pecia_models.checking import Trust, check
from pecia_models.signature import sign
from pecia_operator.weights.failures import WeightsChecksumMismatch, WeightsFailure, WeightsNotFound
from pecia_operator.weights.fetching import fetch
from pecia_operator.weights.settings import WeightsSettings

FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "parts/tokenizer.json": b"{ }"}


class Signer:
    """A pair of keys, as files."""

    def __init__(self, folder: Path, name: str) -> None:
        key, pem = ec.generate_private_key(ec.SECP256R1()), serialization.Encoding.PEM
        pkcs8, info = serialization.PrivateFormat.PKCS8, serialization.PublicFormat.SubjectPublicKeyInfo
        self.private = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
        self.public = folder / f"{name}.pub"
        self.public.write_bytes(key.public_key().public_bytes(pem, info))


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """Whose key is pinned."""
    return Signer(tmp_path, "ours")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkpoint with its list, where weights come from."""
    folder = tmp_path / "source"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in FILES.items()]
    (folder / "sha256sums").write_text("".join(sums))
    return folder


def brought(source: Path, target: Path | None, key: Path, **more: object) -> int:
    """Bytes that came."""
    asked = {"source": str(source), "folder": target, "signing_key_file": key, "attempts": 1, **more}
    return asyncio.run(fetch(WeightsSettings.model_validate(asked)))


def refusal(source: Path, target: Path, key: Path, **more: object) -> WeightsFailure:
    """Why nothing is to be run; nothing says that the folder is complete."""
    with pytest.raises(WeightsFailure) as caught:
        brought(source, target, key, **more)
    assert not (target / "model.sig").exists()
    return caught.value


def test_what_was_signed_comes_whole_and_is_let_through(source: Path, tmp_path: Path, signer: Signer) -> None:
    """Every file, its list, and the signature last: what reads it finds all it asks for."""
    sign(source, signer.private)
    target = tmp_path / "target"
    assert brought(source, target, signer.public) >= sum(map(len, FILES.values()))
    there = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert there == {*FILES, "sha256sums", "model.sig"}
    assert check(target, lambda _: None, signer.public.read_text()) is Trust.SIGNED
    assert brought(source, target, signer.public) == 0
    assert brought(source, None, signer.public) > 0, "a look keeps nothing"


def test_a_model_that_was_signed_without_a_list_needs_none(
    source: Path, tmp_path: Path, signer: Signer
) -> None:
    """And gets none: a file that the signature does not know would be refused."""
    (source / "sha256sums").unlink()
    sign(source, signer.private)
    brought(source, tmp_path / "target", signer.public)
    assert not (tmp_path / "target/sha256sums").exists()
    assert check(tmp_path / "target", lambda _: None, signer.public.read_text()) is Trust.SIGNED


def test_without_a_signature_nothing_comes(source: Path, tmp_path: Path, signer: Signer) -> None:
    """However well list and files agree; the reason says what to do."""
    error = refusal(source, tmp_path / "target", signer.public)
    assert isinstance(error, WeightsNotFound)
    assert "There is no model.sig" in error.message
    assert "python -m pecia_models sign" in error.message
    assert not (tmp_path / "target").exists()


def test_somebody_elses_signature_is_none(source: Path, tmp_path: Path, signer: Signer) -> None:
    """Also of the very same files."""
    sign(source, Signer(tmp_path, "theirs").private)
    error = refusal(source, tmp_path / "target", signer.public)
    assert isinstance(error, WeightsChecksumMismatch)
    assert "not signed with the key that is pinned" in error.message


@pytest.mark.parametrize("name", [*FILES, "sha256sums"])
def test_a_file_that_was_changed_after_signing_is_refused_by_name(
    source: Path, tmp_path: Path, signer: Signer, name: str
) -> None:
    """Though its list was made anew."""
    sign(source, signer.private)
    (source / name).write_bytes((source / name).read_bytes() + b"\n")
    error = refusal(source, tmp_path / "target", signer.public)
    assert isinstance(error, WeightsChecksumMismatch)
    assert f"{name} has the sha256" in error.message
    assert not (tmp_path / "target" / name).exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"{}"), "is no signature of files"),
        (lambda path: path.write_bytes(b" " * (16 << 20) + b" "), "too large"),
    ],
    ids=["junk", "too large"],
)
def test_what_is_no_signature_is_refused(
    source: Path, tmp_path: Path, signer: Signer, spoil: Callable[[Path], object], said: str
) -> None:
    """Before a file is asked for."""
    spoil(source / "model.sig")
    assert said in refusal(source, tmp_path / "target", signer.public).message


def test_a_pinned_list_has_to_agree(source: Path, tmp_path: Path, signer: Signer) -> None:
    """Both are asked: what one of them does not know is named."""
    sign(source, signer.private)
    digest = hashlib.sha256((source / "sha256sums").read_bytes()).hexdigest()
    assert brought(source, tmp_path / "good", signer.public, manifest_sha256=digest) > 0
    assert (
        "spec.weights.manifest.sha256"
        in refusal(source, tmp_path / "target", signer.public, manifest_sha256="0" * 64).message
    )
    mine = tmp_path / "mine"
    mine.write_text(f"{'0' * 64}  config.json\n")
    said = refusal(source, tmp_path / "target", signer.public, manifest_file=mine).message
    assert "config.json of the manifest are not what model.sig lists" in said
