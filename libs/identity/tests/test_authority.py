"""Certificates and keys of one machine, renewed in time: whoever has the former generation is understood."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from pecia_identity.assertions import key_id, private_key, public_keys
from pecia_identity.authority import SERVER_NAME, Authority, Lifetimes
from pecia_identity.certificates import PaperFiles

NOW = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def verified(certificate: bytes, bundle: bytes, at: datetime) -> bool:
    """Whether a client that trusts the bundle takes the server's certificate."""
    store = Store(x509.load_pem_x509_certificates(bundle))
    builder = PolicyBuilder().store(store).time(at)
    leaf = x509.load_pem_x509_certificate(certificate)
    try:
        builder.build_server_verifier(x509.DNSName(SERVER_NAME)).verify(leaf, [])
    except VerificationError as error:
        print(error)  # noqa: T201 - says why, where a test fails
        return False
    return True


def test_everything_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Three certificates with their keys, the authority, and what signs and checks calls."""
    authority = Authority(tmp_path / "identity")
    assert authority.renew()
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in authority.folder.iterdir()} == {0o600}
    for who in ("ocr", "gateway", "worker"):
        assert not PaperFiles(authority.certificate(who), authority.key(who), authority.bundle).read().ended()
    assert key_id(private_key(authority.signing.read_bytes()).public_key()) in public_keys(
        authority.verifying.read_bytes()
    )
    assert authority.renew() == []


def test_each_generation_trusts_the_one_before_and_the_next(tmp_path: Path) -> None:
    """Over seventy days and four authorities: nobody who is one renewal late, or early, is refused."""
    authority = Authority(tmp_path, Lifetimes(DAY, 30 * DAY))
    former: tuple[bytes, bytes, bytes] | None = None
    authorities = set()
    for hours in range(0, 24 * 70, 8):
        at = NOW + timedelta(hours=hours)
        authority.renew(at)
        certificate, bundle = authority.certificate("ocr").read_bytes(), authority.bundle.read_bytes()
        signing = authority.signing.read_bytes()
        authorities.add((tmp_path / "authority-current.crt").read_bytes())
        assert verified(certificate, bundle, at)
        if former is not None:
            assert verified(certificate, former[1], at), hours
            assert verified(former[0], bundle, at), hours
            checked = public_keys(authority.verifying.read_bytes())
            assert key_id(private_key(former[2]).public_key()) in checked
        former = certificate, bundle, signing
    assert len(authorities) >= 4


def test_a_spoilt_folder_is_made_anew(tmp_path: Path) -> None:
    """What is missing or no certificate is as if it had ended."""
    authority = Authority(tmp_path)
    authority.renew(NOW)
    authority.certificate("ocr").write_text("spoilt")
    assert "certificates" in authority.renew(NOW)
    (tmp_path / "authority-current.crt").unlink()
    assert "authority" in authority.renew(NOW)
    assert verified(authority.certificate("ocr").read_bytes(), authority.bundle.read_bytes(), NOW)


def test_a_stranger_is_not_trusted(tmp_path: Path) -> None:
    """The check of these tests can fail."""
    one, other = Authority(tmp_path / "one"), Authority(tmp_path / "other")
    for authority in (one, other):
        authority.renew(NOW)
    assert not verified(one.certificate("ocr").read_bytes(), other.bundle.read_bytes(), NOW)
    with pytest.raises(ValueError, match="PEM"):
        PaperFiles(authorities=one.signing).read()
