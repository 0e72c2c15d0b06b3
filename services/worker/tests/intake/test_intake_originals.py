"""Files of the backend's bucket, found by what its table says of them."""

from pathlib import Path
from typing import Any

import pytest
from pecia_core.errors import InvalidRequest, NotFound, TooLarge, Unavailable
from pecia_worker.intake.originals import Originals
from pecia_worker.intake_settings import OriginalsSettings


def in_bucket(endpoint: str, **more: Any) -> Originals:
    """The bucket behind this address."""
    settings = {"endpoint": endpoint, "bucket": "filot-documents", "region": "us-east-1", "retry_s": 0.5}
    return Originals(OriginalsSettings(**settings, access_key_id="test", secret_access_key="test", **more))


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("documents/7/ktp.jpg", "documents/7/ktp.jpg"),
        ("/documents/7/ktp.jpg", "documents/7/ktp.jpg"),
        ("s3://filot-documents/documents/ktp.jpg", "documents/ktp.jpg"),
        ("r2://filot-documents/my file.pdf", "my file.pdf"),
        ("https://pub-1.r2.dev/documents/my%20file.pdf", "documents/my file.pdf"),
        ("https://acc.r2.cloudflarestorage.com/filot-documents/a.pdf?X-Amz-Signature=1", "a.pdf"),
        ("https://elsewhere.example/filot-documents/a.pdf", "filot-documents/a.pdf"),
    ],
)
def test_a_row_names_a_key(file: str, key: str) -> None:
    """A bare key, the bucket's own address, or a URL of which the path counts."""
    assert in_bucket("https://acc.r2.cloudflarestorage.com").key_of(file) == key


@pytest.mark.parametrize("file", ["", "/", "s3://others/a", "a/../b", "a//b", "https://host", "./a"])
def test_what_names_nothing_is_refused(file: str) -> None:
    """No way out of the bucket, and no empty name."""
    with pytest.raises(InvalidRequest, match="names no file"):
        in_bucket("https://acc.r2.cloudflarestorage.com").key_of(file)


async def test_a_file_is_fetched(s3: str, put_file: Any) -> None:
    """Whole, whatever its name; what is missing, too large or out of reach is said as such."""
    await put_file("a folder/ünï file.png", b"picture")
    originals = in_bucket(s3)
    assert await originals.fetch("a folder/ünï file.png") == b"picture"
    assert await originals.fetch("https://x.r2.dev/a%20folder/%C3%BCn%C3%AF%20file.png") == b"picture"
    with pytest.raises(NotFound):
        await originals.fetch("missing.png")
    with pytest.raises(TooLarge):
        await in_bucket(s3, max_bytes=6).fetch("a folder/ünï file.png")
    for away in (in_bucket("http://127.0.0.1:9"), in_bucket(s3, url="s3://no-such-bucket")):
        with pytest.raises(Unavailable, match="CF_R2"):
            await away.fetch("a.png")


async def test_a_folder_will_do(tmp_path: Path) -> None:
    """On one machine the bucket may be a folder."""
    (tmp_path / "a.png").write_bytes(b"picture")
    originals = Originals(OriginalsSettings(url=str(tmp_path)))
    assert await originals.fetch("a.png") == b"picture"
    with pytest.raises(NotFound):
        await originals.fetch("b.png")
    with pytest.raises(Unavailable):
        await Originals(OriginalsSettings(url=str(tmp_path / "not mounted"))).fetch("a.png")
