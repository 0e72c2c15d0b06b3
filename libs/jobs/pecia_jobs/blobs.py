"""Documents and results of jobs, in a folder or a bucket (S3, R2): the same keys, the same errors.

A job's blobs lie under `{tenant}/{job id}/`: the input, `pages/`, and the results. Rows of the database name
the blobs that count; others are left by those who lost a lease and go with their job.
"""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store
from pecia_core.errors import NotFound, PeciaError, Unavailable
from pecia_core.tenants import tenant_slug

from pecia_jobs.ids import is_job_id
from pecia_jobs.settings import BlobSettings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

RESULT_MARKDOWN = "result.md"
RESULT_TEXT = "result.txt"
RESULT_JSON = "result.json"
# Never kept: made of the pages whenever somebody asks.
RESULT_TABLES = "result.csv"
METADATA = "metadata.json"
RESULT_METADATA = "result_metadata.json"
_ENDINGS = {
    "application/pdf": "pdf",
    "image/tiff": "tif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/bmp": "bmp",
}
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_CHUNK_BYTES = 1 << 20
# Of a bucket's own answer to one request for a list, or to delete.
_BATCH = 1000
_CONNECT_S = 5
_STANDSTILL_S = 30
_NO_BUCKET = "NoSuchBucket"  # to a reader it looks like a blob that is not there
_RETRIES = 4
_FIRST_WAIT = timedelta(milliseconds=100)
_LONGEST_WAIT = timedelta(seconds=2)


def job_prefix(tenant: str, job_id: str) -> str:
    """What the keys of all blobs of a job begin with, followed by a slash."""
    if not is_job_id(job_id):
        raise ValueError("not a job's name")
    return f"{tenant_slug(tenant)}/{job_id}"


def input_key(tenant: str, job_id: str, media_type: str) -> str:
    """The document as it was sent."""
    return f"{job_prefix(tenant, job_id)}/input.{_ENDINGS[media_type]}"


def page_key(tenant: str, job_id: str, number: int, token: str) -> str:
    """What the holder of a lease read on a page."""
    return f"{job_prefix(tenant, job_id)}/pages/{number:05d}.{token}.json"


def figure_key(page: str, name: str) -> str:
    """A figure of the page whose result has the key `page`; `name` as in the result."""
    return f"{page.removesuffix('.json')}.{name}.jpg"


def result_key(tenant: str, job_id: str, name: str) -> str:
    """One of the files of a finished job: `RESULT_MARKDOWN` and the others."""
    return f"{job_prefix(tenant, job_id)}/{name}"


@dataclass(frozen=True, slots=True)
class Blob:
    """What a list says of a blob. `modified` = seconds since 1970 by the store's clock."""

    key: str
    size: int
    modified: float


def open_blobs(settings: BlobSettings) -> "Blobs":
    """The blobs the settings name. Nothing is touched before the first call, so nothing fails here."""
    place = settings.place
    if place.startswith("s3://"):
        return Blobs(settings)
    return Blobs(settings, Path(place.removeprefix("file://")).expanduser())


class Blobs:
    """Puts, gets and deletes. Every call raises Unavailable (`store_unavailable`) when the store is away."""

    def __init__(self, settings: BlobSettings, folder: Path | None = None) -> None:
        """Use `open_blobs`. `folder` None = a bucket."""
        self._settings = settings
        self._folder = folder

    async def put(self, key: str, data: bytes) -> None:
        """Write it whole or not at all, over whatever was there."""
        await self._put(key, data)

    async def put_file(self, key: str, path: Path) -> None:
        """Write what is in a file, a few MiB at a time."""
        await self._put(key, path)

    async def get(self, key: str) -> bytes:
        """All of it.

        Raises:
            NotFound: there is no such blob.
        """
        with self._told():
            found = await obstore.get_async(self._store, _checked(key))
            return bytes(await found.bytes_async())

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, or as many as there are. Raises as `get` does."""
        with self._told():
            return bytes(
                await obstore.get_range_async(self._store, _checked(key), start=start, length=length)
            )

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """All of it, about a MiB at a time. Raises as `get` does, before the first piece."""
        with self._told():
            found = await obstore.get_async(self._store, _checked(key))
            async for piece in found.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(piece)

    async def size(self, key: str) -> int:
        """Bytes. Raises as `get` does."""
        with self._told():
            return int((await obstore.head_async(self._store, _checked(key)))["size"])

    async def list(self, prefix: str = "") -> AsyncIterator[Blob]:
        """All blobs below a folder of keys (`prefix` without a slash at its end), in no order."""
        with self._told():
            async for batch in obstore.list(
                self._store, _checked(prefix) if prefix else None, chunk_size=_BATCH
            ):
                for one in batch:
                    yield Blob(one["path"], one["size"], one["last_modified"].timestamp())

    async def delete(self, prefix: str) -> None:
        """Everything below a folder of keys, half-written files too. Nothing there is fine."""
        _checked(prefix)
        with self._told():
            if self._folder is not None:
                await asyncio.to_thread(_remove_tree, self._folder / prefix)
                return
        keys = [blob.key async for blob in self.list(prefix)]
        await self.remove(keys)

    async def remove(self, keys: Sequence[str]) -> None:
        """These blobs. Those that are not there are fine."""
        for key in keys:
            _checked(key)
        with self._told():
            if self._folder is not None:
                await asyncio.to_thread(_unlink, [self._folder / key for key in keys])
                return
            for begin in range(0, len(keys), _BATCH):
                await obstore.delete_async(self._store, keys[begin : begin + _BATCH])

    async def _put(self, key: str, data: bytes | Path) -> None:
        with self._told():
            store = self._store
            if self._folder is not None and not await asyncio.to_thread(self._folder.is_dir):
                # A disk that is not mounted; writing now would hide the blobs under it later.
                raise NotADirectoryError(self._folder)
            await obstore.put_async(store, _checked(key), data)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / key)

    @cached_property
    def _store(self) -> LocalStore | S3Store:
        """Opened by the first call, so that a process starts while its store is away."""
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return LocalStore(self._folder)
        return open_bucket(self._settings)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the store says, in the words of the house."""
        try:
            yield
        except FileNotFoundError as error:
            bucket_away = self._folder is None and _NO_BUCKET in str(error)
            if bucket_away or (self._folder is not None and not self._folder.is_dir()):
                raise _unavailable() from error
            raise NotFound("The blob is not there: it was deleted.") from error
        except (BaseError, OSError) as error:
            raise _unavailable() from error


def open_bucket(settings: BlobSettings) -> S3Store:
    """A client of the bucket the settings name. Nothing is asked yet."""
    parts = urlsplit(settings.place)
    config: S3Config = {"region": settings.region}
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    if settings.access_key_id:
        config["access_key_id"] = settings.access_key_id
        config["secret_access_key"] = settings.secret_access_key.get_secret_value()
    options: ClientConfig = {
        "allow_http": settings.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=_CONNECT_S),
        "read_timeout": timedelta(seconds=_STANDSTILL_S),
        "timeout": timedelta(hours=1),  # of a whole document on a slow line; `read_timeout` finds the dead
    }
    retries: RetryConfig = {
        "max_retries": _RETRIES,
        "retry_timeout": timedelta(seconds=settings.retry_s),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=2),
            "base": 2,
        },
    }
    prefix = parts.path.strip("/") or None
    return S3Store(parts.netloc, prefix=prefix, config=config, client_options=options, retry_config=retries)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("not a blob's key")
    return key


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """A row of the database will say that this file is there: also after the power went."""
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_tree(folder: Path) -> None:
    while folder.exists():
        with suppress(FileNotFoundError):  # somebody else deletes the same
            shutil.rmtree(folder)


def _unavailable() -> PeciaError:
    return Unavailable(
        "The store of documents and results cannot be reached, or is full. Try again in a moment.",
        code="store_unavailable",
        retry_after=5,
    )
