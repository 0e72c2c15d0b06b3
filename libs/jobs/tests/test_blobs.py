"""Blobs in a real folder and in a bucket behind a real HTTP server on this machine."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from pecia_core.errors import NotFound, Unavailable
from pecia_core.tenants import tenant_slug
from pecia_jobs import blobs as layout
from pecia_jobs.blobs import Blobs, open_blobs
from pecia_jobs.settings import BlobSettings, state_folder
from pydantic import SecretStr

_JOB = "scan.pdf_20251121_120000_0123abcd"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks as S3 does, with a bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    make_bucket(endpoint, "jobs")
    yield endpoint
    server.stop()


def make_bucket(endpoint: str, name: str) -> None:
    """The server asks for no signature."""
    httpx.put(f"{endpoint}/{name}").raise_for_status()


def in_bucket(endpoint: str, place: str = "s3://jobs/here") -> BlobSettings:
    """Settings of a bucket behind this address."""
    return BlobSettings(
        url=place,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="test",
        secret_access_key=SecretStr("test"),
        retry_s=2,
    )


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """One after the other."""
    if request.param == "folder":
        return open_blobs(BlobSettings(url=str(tmp_path / "blobs")))
    return open_blobs(in_bucket(request.getfixturevalue("s3"), f"s3://jobs/{tmp_path.name}"))


async def keys(found: AsyncIterator[layout.Blob]) -> list[str]:
    """What a list holds, in order."""
    return sorted([blob.key async for blob in found])


async def test_what_is_put_is_got(blobs: Blobs) -> None:
    """Whole, in parts and in pieces; a second put replaces the first."""
    await blobs.put("a/b.json", b"first")
    await blobs.put("a/b.json", b"0123456789")
    assert await blobs.get("a/b.json") == b"0123456789"
    assert await blobs.size("a/b.json") == 10
    assert await blobs.get_range("a/b.json", 2, 3) == b"234"
    assert await blobs.get_range("a/b.json", 8, 100) == b"89"
    assert b"".join([piece async for piece in blobs.stream("a/b.json")]) == b"0123456789"


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    """The text of a blank document has no bytes."""
    await blobs.put("a/empty.txt", b"")
    assert await blobs.get("a/empty.txt") == b""
    assert [piece async for piece in blobs.stream("a/empty.txt") if piece] == []


async def test_large_files_go_in_and_out_in_pieces(blobs: Blobs, tmp_path: Path) -> None:
    """23 MiB in several parts of a bucket's upload come back the same, no piece much over a MiB."""
    data = bytes(range(256)) * (23 << 12)
    (tmp_path / "large").write_bytes(data)
    await blobs.put_file("t/large.pdf", tmp_path / "large")
    digest, longest = hashlib.sha256(), 0
    async for piece in blobs.stream("t/large.pdf"):
        digest.update(piece)
        longest = max(longest, len(piece))
    assert digest.digest() == hashlib.sha256(data).digest()
    assert longest < 8 << 20


async def test_a_job_is_listed_and_deleted_alone(blobs: Blobs) -> None:
    """Its neighbour, whose name begins the same, stays; deleting twice is fine."""
    for key in ("t/job/input.pdf", "t/job/pages/00001.x.json", "t/job2/input.pdf"):
        await blobs.put(key, b"x")
    assert await keys(blobs.list("t/job")) == ["t/job/input.pdf", "t/job/pages/00001.x.json"]
    assert await keys(blobs.list()) == ["t/job/input.pdf", "t/job/pages/00001.x.json", "t/job2/input.pdf"]
    await blobs.delete("t/job")
    await blobs.delete("t/job")
    assert await keys(blobs.list()) == ["t/job2/input.pdf"]
    await blobs.remove(["t/job2/input.pdf", "t/job2/absent.json"])
    assert await keys(blobs.list()) == []


async def test_a_list_tells_sizes_and_times(blobs: Blobs) -> None:
    """What a purge goes by."""
    await blobs.put("t/one", b"12345")
    (found,) = [blob async for blob in blobs.list()]
    assert found.size == 5
    assert found.modified > 1_700_000_000


async def test_more_blobs_than_one_answer_lists(blobs: Blobs) -> None:
    """A bucket lists a thousand at a time; all of a long document's pages go."""
    count = 1100
    for begin in range(0, count, 100):
        await asyncio.gather(*(blobs.put(f"t/j/pages/{n:05d}.json", b"x") for n in range(begin, begin + 100)))
    assert len(await keys(blobs.list("t/j"))) == count
    await blobs.delete("t/j")
    assert await keys(blobs.list("t/j")) == []


async def test_what_is_not_there_is_not_found(blobs: Blobs) -> None:
    """Each way of reading says so, once the store has anything at all."""
    await blobs.put("a/other", b"x")
    for reading in (blobs.get("a/b"), blobs.get_range("a/b", 0, 1), blobs.size("a/b")):
        with pytest.raises(NotFound):
            await reading
    with pytest.raises(NotFound):
        _ = [piece async for piece in blobs.stream("a/b")]


@pytest.mark.parametrize(
    "key", ["", "/", "../x", "a/../b", "a//b", "/a", "a/", ".hidden", "a/.x", "a b", "a\n"]
)
async def test_keys_cannot_climb(blobs: Blobs, key: str) -> None:
    """A key that is none never reaches the store, least of all to delete."""
    for call in (blobs.put(key, b""), blobs.get(key), blobs.delete(key), blobs.remove([key])):
        with pytest.raises(ValueError, match="not a blob's key"):
            await call


async def test_half_written_files_go_with_their_job(tmp_path: Path) -> None:
    """A process killed in the middle of a write leaves a file that no list shows."""
    blobs = open_blobs(BlobSettings(url=str(tmp_path)))
    await blobs.put("t/j/input.pdf", b"x")
    (tmp_path / "t" / "j" / "input.pdf#1").write_bytes(b"half")
    assert await keys(blobs.list()) == ["t/j/input.pdf"]
    await blobs.delete("t/j")
    assert not (tmp_path / "t" / "j").exists()


async def test_a_folder_that_went_away_is_unavailable(tmp_path: Path) -> None:
    """An unmounted disk is not "no such blob", and nothing is written in its place; it may come back."""
    root, away = tmp_path / "disk", tmp_path / "away"
    blobs = open_blobs(BlobSettings(url=str(root)))
    await blobs.put("t/x", b"1")
    root.rename(away)
    for call in (blobs.get("t/x"), blobs.put("t/y", b"2"), blobs.size("t/x")):
        with pytest.raises(Unavailable) as raised:
            await call
        assert raised.value.code == "store_unavailable"
    assert not root.exists()
    away.rename(root)
    assert await blobs.get("t/x") == b"1"


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """The process runs on without jobs; only calls say so."""
    (tmp_path / "file").write_text("")
    blobs = open_blobs(BlobSettings(url=str(tmp_path / "file" / "blobs")))
    with pytest.raises(Unavailable):
        await blobs.put("a", b"")


async def test_a_store_that_comes_back_is_used_again() -> None:
    """While the server is down each call ends after its repeats; afterwards the same object works."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    make_bucket(endpoint, "jobs")
    blobs = open_blobs(in_bucket(endpoint))
    await blobs.put("t/x", b"1")
    server.stop()
    for call in (blobs.get("t/x"), blobs.put("t/y", b"2"), blobs.delete("t/x")):
        with pytest.raises(Unavailable):
            await call
    again = ThreadedMotoServer("127.0.0.1", port)
    again.start()
    try:
        assert await blobs.get("t/x") == b"1"
    finally:
        again.stop()


async def test_a_wrong_bucket_is_unavailable(s3: str) -> None:
    """Whoever runs this has to mend it; nobody is told that documents are gone."""
    blobs = open_blobs(in_bucket(s3, "s3://nobodys-bucket"))
    for call in (blobs.put("t/x", b"1"), blobs.get("t/x")):
        with pytest.raises(Unavailable):
            await call


def test_every_blob_of_a_job_has_its_place() -> None:
    """Below the tenant and the job, pages in order of their numbers."""
    prefix = layout.job_prefix("acme", _JOB)
    assert prefix == f"{tenant_slug('acme')}/{_JOB}"
    assert layout.input_key("acme", _JOB, "image/tiff") == f"{prefix}/input.tif"
    assert layout.page_key("acme", _JOB, 7, "t0k") == f"{prefix}/pages/00007.t0k.json"
    assert layout.result_key("acme", _JOB, layout.RESULT_MARKDOWN) == f"{prefix}/result.md"
    with pytest.raises(ValueError, match="not a job's name"):
        layout.job_prefix("acme", "../other")


def test_tenants_never_share_a_folder() -> None:
    """Not even on a file system that thinks `A` is `a`."""
    names = ["acme", "Acme", "a.cme", "a_cme", "a-cme", "---", "..."]
    slugs = [tenant_slug(name) for name in names]
    assert len({slug.lower() for slug in slugs}) == len(names)
    assert all(layout._checked(slug) for slug in slugs)


def test_the_place_follows_from_what_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The url wins over the bucket, the bucket over the folder of this machine's user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert BlobSettings().place == str(state_folder() / "blobs") == str(tmp_path / "pecia/jobs/blobs")
    assert BlobSettings(bucket="b").place == "s3://b/pecia-jobs"
    assert BlobSettings(bucket="b", url="/x").place == "/x"
    assert isinstance(open_blobs(BlobSettings(bucket="b"))._store, S3Store)
