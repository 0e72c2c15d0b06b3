"""Pictures by reference: what is read, and that nothing outside the folder is."""

import hashlib
from pathlib import Path

import pytest
from pecia_core.errors import InvalidRequest, NotFound, TooLarge
from pecia_ocr.blobs import BlobFolder


@pytest.fixture
def store(tmp_path: Path) -> BlobFolder:
    """A store with one blob, and a secret beside it."""
    (tmp_path / "secret").write_bytes(b"secret")
    root = tmp_path / "store"
    (root / "pages").mkdir(parents=True)
    (root / "pages" / "1").write_bytes(b"picture")
    (root / "out").symlink_to(tmp_path / "secret")
    return BlobFolder(root, max_bytes=100)


def test_a_blob_is_read(store: BlobFolder) -> None:
    """With or without its hash."""
    assert store.read("pages/1") == b"picture"
    assert store.read("pages/1", hashlib.sha256(b"picture").hexdigest().upper()) == b"picture"


@pytest.mark.parametrize(
    "key", ["../secret", "pages/../../secret", "/etc/passwd", "out", "pages/\x00", "a" * 5000]
)
def test_a_key_cannot_leave_the_store(store: BlobFolder, key: str) -> None:
    """Neither by dots, nor by a root, nor by a link."""
    with pytest.raises((InvalidRequest, NotFound)):
        store.read(key)


def test_a_blob_that_is_not_there(store: BlobFolder) -> None:
    """A folder is no blob either."""
    for key in ("pages/2", "pages", ""):
        with pytest.raises(NotFound):
            store.read(key)


def test_other_bytes_than_meant(store: BlobFolder) -> None:
    """A hash that differs is refused."""
    with pytest.raises(InvalidRequest, match="sha256"):
        store.read("pages/1", "0" * 64)


def test_a_blob_larger_than_a_picture_may_be(tmp_path: Path) -> None:
    """It is not read whole first."""
    (tmp_path / "big").write_bytes(b"x" * 101)
    with pytest.raises(TooLarge):
        BlobFolder(tmp_path, max_bytes=100).read("big")


def test_no_store() -> None:
    """The message says which setting is missing."""
    with pytest.raises(InvalidRequest, match="PECIA_BLOBS__ROOT"):
        BlobFolder(None, max_bytes=100).read("pages/1")
