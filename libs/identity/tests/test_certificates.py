"""Certificates in files: half written ones are never used, and those that have ended say so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from pecia_identity.certificates import PaperFiles
from pecia_identity.watched import Watched


def write(folder: Path, issued: trustme.LeafCert, authority: trustme.CA) -> PaperFiles:
    """As cert-manager names them."""
    issued.private_key_pem.write_to_path(str(folder / "tls.key"))
    (folder / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    return PaperFiles(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")


def test_a_new_certificate_counts_when_its_key_is_there(tmp_path: Path) -> None:
    """Written one after the other, the two are read when they belong together."""
    authority = trustme.CA()
    files = write(tmp_path, authority.issue_cert("pecia-ocr"), authority)
    papers = Watched("certificates", files.there, files.read, 0.0)
    former = papers.now()
    issued = authority.issue_cert("pecia-ocr")
    (tmp_path / "tls.crt").write_bytes(issued.cert_chain_pems[0].bytes())
    assert papers.now() == former
    issued.private_key_pem.write_to_path(str(tmp_path / "tls.key"))
    assert papers.now().certificate == issued.cert_chain_pems[0].bytes()
    assert papers.now().key not in repr(papers.now()).encode()


def test_one_that_has_ended_says_when(tmp_path: Path) -> None:
    """Before its time, in it, and after it."""
    authority = trustme.CA()
    begins, ends = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 6, 1, tzinfo=UTC)
    files = write(tmp_path, authority.issue_cert("a", not_before=begins, not_after=ends), authority)
    papers = files.read()
    assert "counts only from 2030-01-01" in papers.ended()
    assert papers.ended(datetime(2030, 2, 1, tzinfo=UTC)) == ""
    assert "expired at 2030-06-01" in papers.ended(datetime(2030, 7, 1, tzinfo=UTC))
    assert PaperFiles().read().ended() == ""


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("tls.crt", b"nothing", "tls.crt holds no PEM certificate"),
        ("ca.crt", b"", "ca.crt holds no PEM certificate"),
        ("tls.key", b"nothing", "tls.key holds no PEM private key"),
    ],
)
def test_what_is_none_is_named(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    """The message says which file, and shows nothing of it."""
    authority = trustme.CA()
    files = write(tmp_path, authority.issue_cert("a"), authority)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        files.read()


def test_a_certificate_without_a_key_is_a_mistake(tmp_path: Path) -> None:
    """Both settings or none; and the key has to be its own."""
    authority = trustme.CA()
    files = write(tmp_path, authority.issue_cert("a"), authority)
    with pytest.raises(ValueError, match="set together"):
        PaperFiles(certificate=files.certificate).read()
    authority.issue_cert("b").private_key_pem.write_to_path(str(tmp_path / "tls.key"))
    with pytest.raises(ValueError, match="is not the one of the certificate"):
        files.read()
