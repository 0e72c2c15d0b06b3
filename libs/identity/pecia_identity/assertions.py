"""For whom a call between services is made, signed: JSON Web Tokens with Ed25519.

One says: this tenant, this method, this request, this picture, within the next half minute, to this audience.
Whoever could copy one could only have the same picture read again for the same tenant, and that soon.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pecia_core.errors import Unauthenticated

from pecia_identity.settings import CheckingSettings, SigningSettings
from pecia_identity.watched import Watched

# Seconds. A try of a call is signed when it is made; what takes long is not the way there.
LIFETIME_S = 30
LONGEST_S = 60
_SKEW_S = 10
_LOOK_S = 1.0
_ALGORITHM = "EdDSA"
_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_CLAIMS = ("exp", "iat", "aud", "tenant", "method", "request", "picture")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed.

    Attributes:
        tenant: for whom.
        method: name of the RPC, such as `Recognize`.
        request: its id, as it travels.
        picture: `digest_of` what is to be read; empty where there is nothing.
    """

    tenant: str
    method: str
    request: str = ""
    picture: str = ""


def digest_of(*pictures: bytes) -> str:
    """The name of a picture's bytes, hexadecimal; of several, in order, that of their names."""
    names = [sha256(picture) for picture in pictures]
    if len(names) == 1:
        return names[0].hexdigest()
    return sha256(b"".join(name.digest() for name in names)).hexdigest()


def key_id(key: Ed25519PublicKey) -> str:
    """What names a key in tokens and logs: of itself, so that it need not be set."""
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


class Signer:
    """Signs with the key in a file, and with the one that follows it."""

    def __init__(self, settings: SigningSettings) -> None:
        """Read the key.

        Raises:
            ValueError, OSError: the file holds none.
        """
        self._audience = settings.audience
        self._keys: Watched[Ed25519PrivateKey] | None = None
        if path := settings.key_file:
            self._keys = Watched(
                "the key that signs calls", [path], lambda: private_key(path.read_bytes()), _LOOK_S
            )

    @property
    def signs(self) -> bool:
        """Whether there is a key."""
        return self._keys is not None

    def sign(self, statement: Statement) -> str:
        """A token; "" without a key."""
        if self._keys is None:
            return ""
        key, now = self._keys.now(), int(time.time())
        claims = {
            "aud": self._audience,
            "iat": now,
            "exp": now + LIFETIME_S,
            "tenant": statement.tenant,
            "method": statement.method,
            "request": statement.request,
            "picture": statement.picture,
        }
        return jwt.encode(claims, key, _ALGORITHM, headers={"kid": key_id(key.public_key())})


class Verifier:
    """Checks what callers signed, with any of the keys in a file."""

    def __init__(self, settings: CheckingSettings) -> None:
        """Read the keys.

        Raises:
            ValueError, OSError: the file holds none; the service must not start open by mistake.
        """
        self._audience = settings.audience
        self._keys: Watched[Mapping[str, Ed25519PublicKey]] | None = None
        if path := settings.keys_file:
            self._keys = Watched(
                "keys of those who sign calls",
                [path],
                lambda: public_keys(path.read_bytes()),
                settings.reload_s,
            )

    @property
    def checks(self) -> bool:
        """Whether there are keys."""
        return self._keys is not None

    def tenant_of(self, token: str, seen: Statement) -> str:
        """The tenant a token names, once all else in it is as `seen`, whose own tenant does not count.

        Raises:
            Unauthenticated: it is not believed; the message says why, and shows nothing of it.
        """
        claims = self._claims(token)
        if claims["exp"] - claims["iat"] > LONGEST_S:
            raise _refused(f"it is good for longer than {LONGEST_S} s")
        for name in ("method", "request", "picture"):
            if claims[name] != getattr(seen, name):
                raise _refused(f"it was made for another {name}")
        return str(claims["tenant"])

    def _claims(self, token: str) -> dict[str, Any]:
        keys = self._keys.now() if self._keys else {}
        try:
            named = jwt.get_unverified_header(token).get("kid", "")
            if (key := keys.get(str(named))) is None:
                raise _refused("put the public key of its signer into PECIA_ASSERTION__KEYS_FILE")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                [_ALGORITHM],
                options={"require": list(_CLAIMS)},
                audience=self._audience,
                leeway=_SKEW_S,
            )
        except jwt.ExpiredSignatureError:
            raise _refused("its time is over: look at the clocks of both machines") from None
        except jwt.ImmatureSignatureError:
            raise _refused("its time has not come: look at the clocks of both machines") from None
        except jwt.InvalidAudienceError:
            raise _refused("it is for somebody else: set the same audience on both sides") from None
        except jwt.PyJWTError as error:
            raise _refused(f"it is no good ({type(error).__name__})") from None
        return claims


def private_key(pem: bytes) -> Ed25519PrivateKey:
    """The Ed25519 key in a PEM file. Raises ValueError."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(  # noqa: TRY004 - a file's content, not an argument
            "The file holds no PEM private Ed25519 key. Make one: openssl genpkey -algorithm ed25519"
        )
    return key


def public_keys(pem: bytes) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys in a PEM file, by their ids. Raises ValueError: none, or others."""
    try:
        keys = [load_pem_public_key(block) for block in _PUBLIC.findall(pem)]
    except ValueError:
        keys = []
    found = {key_id(key): key for key in keys if isinstance(key, Ed25519PublicKey)}
    if not found or not all(isinstance(key, Ed25519PublicKey) for key in keys):
        raise ValueError(
            "The file holds no PEM public Ed25519 keys, or others too. Make them: openssl pkey -pubout"
        )
    return found


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"The assertion of this call is not believed: {why}.", code="invalid_assertion")
