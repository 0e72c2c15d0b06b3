"""Certificates and signing keys for the services of one machine: made, and renewed before they end.

Of whatever others trust, the next one is made and handed out one period ahead, and the former one stays for
one more: everybody knows the new authority or key before it is used, so that no call fails when it changes.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_NAME = "pecia-ocr"
_CLIENTS = ("gateway", "worker")
_AGES = ("former", "current", "next")
# What clocks may differ by.
_SKEW = timedelta(minutes=5)
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things last; each is renewed when two thirds are over; signing keys go with certificates."""

    certificate: timedelta = timedelta(days=1)
    authority: timedelta = timedelta(days=365)


class Authority:
    """A folder with all of it, readable by its owner alone."""

    def __init__(self, folder: Path, lifetimes: Lifetimes | None = None) -> None:
        """Make nothing yet."""
        self.folder = folder
        self._lifetimes = lifetimes or Lifetimes()

    @property
    def bundle(self) -> Path:
        """The authorities everybody trusts."""
        return self.folder / "ca.crt"

    @property
    def signing(self) -> Path:
        """The private key of those who sign calls."""
        return self.folder / "signing.pem"

    @property
    def verifying(self) -> Path:
        """The public keys of those who check them."""
        return self.folder / "verifying.pem"

    def certificate(self, who: str) -> Path:
        """Of `ocr`, `gateway` or `worker`."""
        return self.folder / f"{who}.crt"

    def key(self, who: str) -> Path:
        """Of that certificate."""
        return self.folder / f"{who}.key"

    def renew(self, now: datetime | None = None) -> list[str]:
        """Make what is missing, and what ends soon anew; gives what was made."""
        moment = now or datetime.now(UTC)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = []
        if self._due(self._authority("current")[0], self._lifetimes.authority, moment):
            self._turn_authorities(moment)
            made.append("authority")
        if made or self._due(self.certificate("ocr"), self._lifetimes.certificate, moment):
            for who in ("ocr", *_CLIENTS):
                self._issue(who, moment)
            self._turn_signing()
            made += ["certificates", "signing key"]
        return made

    def _due(self, path: Path, lifetime: timedelta, now: datetime) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError):
            return True
        return now > certificate.not_valid_after_utc - lifetime / 3

    def _turn_authorities(self, now: datetime) -> None:
        if not self._authority("next")[0].exists():
            self._make_authority("next", now)
        self._turn(["authority-{}.crt", "authority-{}.key"])
        # It has waited as long as its predecessor was used: it is made to last from now on.
        self._make_authority("next", now + self._lifetimes.authority * 2 / 3)
        ages = [self._authority(age)[0] for age in _AGES]
        _write(self.bundle, b"".join(path.read_bytes() for path in ages if path.exists()))

    def _turn_signing(self) -> None:
        if not (self.folder / "signing-next.pem").exists():
            _write(self.folder / "signing-next.pem", _private(Ed25519PrivateKey.generate()))
        self._turn(["signing-{}.pem"])
        _write(self.folder / "signing-next.pem", _private(Ed25519PrivateKey.generate()))
        public = [
            _public(path.read_bytes())
            for age in _AGES
            if (path := self.folder / f"signing-{age}.pem").exists()
        ]
        _write(self.verifying, b"".join(public))
        _write(self.signing, (self.folder / "signing-current.pem").read_bytes())

    def _turn(self, patterns: list[str]) -> None:
        """What is current becomes the former, and what is next becomes current."""
        for pattern in patterns:
            former, current, following = (self.folder / pattern.format(age) for age in _AGES)
            if current.exists():
                current.replace(former)
            shutil.copyfile(following, current)
            current.chmod(0o600)

    def _authority(self, age: str) -> tuple[Path, Path]:
        return self.folder / f"authority-{age}.crt", self.folder / f"authority-{age}.key"

    def _make_authority(self, age: str, begins: datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"pecia on this machine, {begins:%Y-%m-%d %H:%M:%S}")
        # It may be trusted, and even used, from now on: only its end counts from `begins`.
        built = (
            _builder(name, name, key.public_key())
            .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
            .not_valid_after(begins + self._lifetimes.authority)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        certificate, private = self._authority(age)
        _write(private, _private(key))
        _write(certificate, built.public_bytes(Encoding.PEM))

    def _issue(self, who: str, now: datetime) -> None:
        signed_by, private = self._authority("current")
        issuer = x509.load_pem_x509_certificate(signed_by.read_bytes())
        issuer_key = load_pem_private_key(private.read_bytes(), None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - made here
        key = ec.generate_private_key(ec.SECP256R1())
        server = who == "ocr"
        names: list[x509.GeneralName] = [x509.DNSName(SERVER_NAME if server else f"pecia-{who}")]
        if server:
            names += [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        built = (
            _builder(_name(f"pecia {who}"), issuer.subject, key.public_key())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + self._lifetimes.certificate)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(signer, critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        _write(self.key(who), _private(key))
        _write(self.certificate(who), built.public_bytes(Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _private(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(pem: bytes) -> bytes:
    public = load_pem_private_key(pem, None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, for its owner alone."""
    beside = path.with_name(f".{path.name}.new")
    handle = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
