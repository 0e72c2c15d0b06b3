"""Signatures of models as OpenSSF Model Signing 1.0 has them, with elliptic curve keys.

Only `cryptography` is needed: the library of that project brings thirty more packages for signing by way of
public services, of which nothing is used here.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pecia_core.errors import Unavailable

from pecia_models.folder import SIGNATURE, Digests, digest_of, names
from pecia_models.listing import is_inside

_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
_METHOD: dict[str, object] = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
_NOT_SIGNED = [SIGNATURE, ".git", ".gitattributes", ".github", ".gitignore"]
# Bytes of a signature: some 100,000 files.
LARGEST = 16 * 1024 * 1024
# What becomes of JSON that is not what it should be; nested deep enough, it is a RecursionError.
_NONSENSE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_HASHES: dict[int, hashes.HashAlgorithm] = {
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    521: hashes.SHA512(),
}
_ADVICE = "Fetch the model again, or have it signed: python -m pecia_models sign."


def signed(folder: Path, public_key: str) -> dict[str, str]:
    """What the signature in the folder lists.

    Args:
        folder: of the model.
        public_key: PEM of whoever may sign.

    Raises:
        Unavailable: there is no signature, none of this key, or none that can be understood.
    """
    path = folder / SIGNATURE
    if not path.is_file():
        raise Unavailable(f"The model is not signed, and a key is pinned: there is no {SIGNATURE}. {_ADVICE}")
    if path.stat().st_size > LARGEST:
        raise too_large()
    return signed_by(path.read_bytes(), public_key)


def signed_by(signature: bytes, public_key: str) -> dict[str, str]:
    """What a signature lists, wherever its files are.

    Raises:
        Unavailable: it is none of this key, or cannot be understood.
    """
    if len(signature) > LARGEST:
        raise too_large()
    key = _public(public_key)
    try:
        envelope = json.loads(signature)["dsseEnvelope"]
        kind, payload = str(envelope["payloadType"]), base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
    except _NONSENSE as error:
        raise _unknown() from error
    if not any(_is_of(key, one, kind, payload) for one in signatures):
        raise Unavailable(f"{SIGNATURE} is not signed with the key that is pinned here. {_ADVICE}")
    try:
        return _listed(kind, json.loads(payload))
    except _NONSENSE as error:
        raise _unknown() from error


def sign(folder: Path, private_key: bytes, password: bytes | None = None) -> Path:
    """Write the signature of all files there; the same files are then let through wherever its key is pinned.

    Raises:
        ValueError: this is no private key on an elliptic curve, or not its password.
        Unavailable: something in the folder could run code.
    """
    key = serialization.load_pem_private_key(private_key, password)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.key_size not in _HASHES:
        raise ValueError("keys are EC keys of 256, 384 or 521 bits, in PEM")
    digests = {name: digest_of(folder / name) for name in names(folder)}
    payload = json.dumps(_statement(folder.resolve().name, digests), indent=2).encode()
    signature = key.sign(_encoded(_PAYLOAD, payload), ec.ECDSA(_HASHES[key.key_size]))
    bundle = {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": _hint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": _PAYLOAD,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    path = folder / SIGNATURE
    path.write_text(json.dumps(bundle), encoding="utf-8")
    return path


def _public(pem: str) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except ValueError as error:
        raise Unavailable("The pinned key cannot be read: name a PEM file with a public key.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.key_size not in _HASHES:
        raise Unavailable("The pinned key is none that signs models: EC keys of 256, 384 or 521 bits do.")
    return key


def _is_of(key: ec.EllipticCurvePublicKey, signature: bytes, kind: str, payload: bytes) -> bool:
    try:
        key.verify(signature, _encoded(kind, payload), ec.ECDSA(_HASHES[key.key_size]))
    except InvalidSignature:
        return False
    return True


def _encoded(kind: str, payload: bytes) -> bytes:
    """What is signed: DSSE's own encoding of a payload and what it is."""
    return f"DSSEv1 {len(kind.encode())} {kind} {len(payload)} ".encode() + payload


def _listed(kind: str, statement: dict[str, Any]) -> dict[str, str]:
    predicate = statement["predicate"]
    expected = (_PAYLOAD, _STATEMENT, _PREDICATE, _METHOD["method"], _METHOD["hash_type"])
    method = predicate["serialization"]
    said = (kind, statement["_type"], statement["predicateType"], method["method"], method["hash_type"])
    resources = [(one["name"], one["algorithm"], one["digest"]) for one in predicate["resources"]]
    digests = {str(name): str(digest) for name, _, digest in resources}
    good = all(algorithm == "sha256" and is_inside(name) for name, algorithm, _ in resources)
    (subject,) = statement["subject"]
    if said != expected or not good or len(digests) != len(resources):
        raise ValueError("not a list of files by their sha256")
    if subject["digest"]["sha256"] != _root(digest for _, _, digest in resources):
        raise ValueError("the list is not what the subject is")
    return digests


def _statement(name: str, digests: Digests) -> dict[str, object]:
    ordered = sorted(digests.items())
    return {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": _root(digest for _, digest in ordered)}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "serialization": _METHOD | {"ignore_paths": _NOT_SIGNED},
            "resources": [
                {"name": file, "algorithm": "sha256", "digest": digest} for file, digest in ordered
            ],
        },
    }


def _root(digests: Any) -> str:  # noqa: ANN401 - any iterable of hexadecimal digests
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def _hint(key: ec.EllipticCurvePublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.PEM, form)).hexdigest()


def too_large() -> Unavailable:
    """For whoever finds that out before it is here."""
    return Unavailable(f"{SIGNATURE} is too large for one. {_ADVICE}")


def _unknown() -> Unavailable:
    return Unavailable(
        f"{SIGNATURE} is no signature of files as OpenSSF Model Signing 1.0 writes it. {_ADVICE}"
    )
