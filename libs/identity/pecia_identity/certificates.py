"""Certificates as they lie in files: read together, and refused in words where they cannot work."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


@dataclass(frozen=True, slots=True)
class Papers:
    """What one side of a connection shows and trusts: PEM, empty where there is none."""

    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    authorities: bytes = b""

    def ended(self, now: datetime | None = None) -> str:
        """Why the other side will refuse the certificate, in a sentence; "" while it will not."""
        if not self.certificate:
            return ""
        leaf = x509.load_pem_x509_certificates(self.certificate)[0]
        moment = now or datetime.now(UTC)
        if moment > leaf.not_valid_after_utc:
            return f"its certificate expired at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        if moment < leaf.not_valid_before_utc:
            return f"its certificate counts only from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return ""


@dataclass(frozen=True, slots=True)
class PaperFiles:
    """Where they lie. A certificate comes with its key; there may be several authorities in one file."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None

    @property
    def there(self) -> tuple[Path, ...]:
        """The files that were named."""
        return tuple(path for path in (self.certificate, self.key, self.authorities) if path)

    def read(self) -> Papers:
        """All of them.

        Raises:
            OSError: a file cannot be read.
            ValueError: they are no certificate, or the key is another one's: they may be half written.
        """
        if bool(self.certificate) != bool(self.key):
            raise ValueError("A certificate and its key are set together: one of the two settings is empty.")
        papers = Papers(_bytes(self.certificate), _bytes(self.key), _bytes(self.authorities))
        _check(papers, self)
        return papers


def _check(papers: Papers, files: PaperFiles) -> None:
    if files.authorities:
        _certificates(papers.authorities, files.authorities)
    if files.certificate is None:
        return
    leaf = _certificates(papers.certificate, files.certificate)[0]
    try:
        key = load_pem_private_key(papers.key, password=None)
    except (ValueError, TypeError):
        raise ValueError(f"{files.key} holds no PEM private key without a password.") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise ValueError(f"The key in {files.key} is not the one of the certificate in {files.certificate}.")


def _certificates(pem: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError(f"{path} holds no PEM certificate.") from None


def _bytes(path: Path | None) -> bytes:
    return path.read_bytes() if path else b""
