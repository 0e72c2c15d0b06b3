"""Assertions between services: who may say for whom a call is made, and for how long."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pecia_core.errors import Unauthenticated
from pecia_identity.assertions import LIFETIME_S, Signer, Statement, Verifier, digest_of, key_id
from pecia_identity.settings import CheckingSettings, SigningSettings

SAID = Statement("acme", "Recognize", "req-1", digest_of(b"picture"))


class Keys:
    """A key to sign with, and the file of those that are believed."""

    def __init__(self, folder: Path) -> None:
        self.signing = folder / "signing.pem"
        self.verifying = folder / "verifying.pem"
        self.key = self.change()

    def change(self, *, believed: bool = True) -> Ed25519PrivateKey:
        """Sign with a new key from now on."""
        self.key = Ed25519PrivateKey.generate()
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.signing.write_bytes(private)
        if believed:
            public = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            former = self.verifying.read_bytes() if self.verifying.exists() else b""
            self.verifying.write_bytes(former + public)
        return self.key

    def signer(self, **changes: Any) -> Signer:
        return Signer(SigningSettings(key_file=self.signing, **changes))

    def verifier(self) -> Verifier:
        return Verifier(CheckingSettings(keys_file=self.verifying, reload_s=0))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """A pair."""
    return Keys(tmp_path)


def claims(**changes: Any) -> dict[str, Any]:
    """Good ones, but for the changes."""
    now = int(time.time())
    said = {"tenant": "acme", "method": "Recognize", "request": "req-1", "picture": SAID.picture}
    return {"aud": "pecia-ocr", "iat": now, "exp": now + LIFETIME_S, **said, **changes}


def signed(key: Ed25519PrivateKey, body: dict[str, Any], **header: Any) -> str:
    """A token somebody made by hand."""
    return jwt.encode(body, key, "EdDSA", headers={"kid": key_id(key.public_key()), **header})


def test_the_tenant_that_was_signed_is_believed(keys: Keys) -> None:
    """Whatever else is said beside it."""
    token = keys.signer().sign(SAID)
    assert keys.verifier().tenant_of(token, Statement("beta", "Recognize", "req-1", SAID.picture)) == "acme"


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (Statement("", "Forget", "req-1", SAID.picture), "method"),
        (Statement("", "Recognize", "req-2", SAID.picture), "request"),
        (Statement("", "Recognize", "req-1", digest_of(b"another")), "picture"),
        (Statement("", "Recognize", "req-1", ""), "picture"),
    ],
)
def test_an_assertion_is_good_for_one_thing(keys: Keys, seen: Statement, word: str) -> None:
    """Taken from its call it opens no other method, request or picture."""
    with pytest.raises(Unauthenticated, match=f"another {word}") as refused:
        keys.verifier().tenant_of(keys.signer().sign(SAID), seen)
    assert refused.value.code == "invalid_assertion"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"exp": int(time.time()) - 60, "iat": int(time.time()) - 90}, "its time is over"),
        ({"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3630}, "has not come"),
        ({"exp": int(time.time()) + 3600}, "longer than 60 s"),
        ({"aud": "somebody-else"}, "somebody else"),
        ({"aud": None}, "no good"),
        ({"tenant": None}, "no good"),
        ({"exp": None}, "no good"),
    ],
)
def test_what_was_signed_has_bounds(keys: Keys, changes: dict[str, Any], word: str) -> None:
    """Time, audience, and every claim: a signature alone is not enough."""
    body = {name: value for name, value in claims(**changes).items() if value is not None}
    with pytest.raises(Unauthenticated, match=word):
        keys.verifier().tenant_of(signed(keys.key, body), SAID)


def test_another_key_is_not_believed_whatever_it_calls_itself(keys: Keys) -> None:
    """Neither under its own id, nor under that of a good one."""
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(Unauthenticated, match="public key"):
        keys.verifier().tenant_of(signed(stranger, claims()), SAID)
    borrowed = jwt.encode(claims(), stranger, "EdDSA", headers={"kid": key_id(keys.key.public_key())})
    with pytest.raises(Unauthenticated, match="no good"):
        keys.verifier().tenant_of(borrowed, SAID)


def test_another_algorithm_is_not_believed(keys: Keys) -> None:
    """`none`, and HMAC with the public key as its secret: the classic ways around."""
    known = key_id(keys.key.public_key())
    unsigned = jwt.encode(claims(), "", "none", headers={"kid": known})
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": known}).encode()).rstrip(b"=").decode()
    confused = f"{head}.{unsigned.split('.')[1]}.c2lnbmF0dXJl"
    for token in (unsigned, confused, "", "a.b.c", "x" * 10_000):
        with pytest.raises(Unauthenticated, match="not believed") as refused:
            keys.verifier().tenant_of(token, SAID)
        assert token == "" or token not in refused.value.message


def test_keys_follow_each_other_without_a_pause(keys: Keys) -> None:
    """First everybody believes the new one, then it signs, then the former one goes."""
    verifier, signer = keys.verifier(), keys.signer()
    former = keys.key
    assert verifier.tenant_of(signed(former, claims()), SAID) == "acme"
    keys.change()
    assert verifier.tenant_of(signed(former, claims()), SAID) == "acme"
    assert verifier.tenant_of(signed(keys.key, claims()), SAID) == "acme"
    last = keys.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys.verifying.write_bytes(last)
    with pytest.raises(Unauthenticated):
        verifier.tenant_of(signed(former, claims()), SAID)
    assert signer.signs


def test_a_signer_takes_the_new_key_by_itself(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a look at the file."""
    monkeypatch.setattr("pecia_identity.assertions._LOOK_S", 0.0)
    signer = keys.signer()
    first = jwt.get_unverified_header(signer.sign(SAID))["kid"]
    keys.change()
    second = jwt.get_unverified_header(signer.sign(SAID))["kid"]
    assert second == key_id(keys.key.public_key()) != first


def test_without_keys_nothing_is_signed_or_checked() -> None:
    """The switch is the file."""
    assert not Signer(SigningSettings()).signs
    assert Signer(SigningSettings()).sign(SAID) == ""
    assert not Verifier(CheckingSettings()).checks


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", b"text"]
)
def test_files_that_hold_no_keys_keep_a_service_from_starting(tmp_path: Path, content: bytes) -> None:
    """It must not run open by mistake; the message says how to make one."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="openssl"):
        Signer(SigningSettings(key_file=path))
    with pytest.raises(ValueError, match="openssl"):
        Verifier(CheckingSettings(keys_file=path))
    with pytest.raises(OSError, match="absent"):
        Verifier(CheckingSettings(keys_file=tmp_path / "absent"))


def test_a_private_key_is_no_public_one(keys: Keys) -> None:
    """Given to the wrong side it is refused there, and not shown."""
    with pytest.raises(ValueError, match="public Ed25519") as refused:
        Verifier(CheckingSettings(keys_file=keys.signing))
    assert keys.signing.read_text() not in str(refused.value)
