"""Where a checkpoint lies: a folder, a bucket or an address, read in the same way."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import HTTPStore, LocalStore, S3Store

from pecia_operator.weights.failures import WeightsAccessDenied, WeightsInterrupted, WeightsNotFound
from pecia_operator.weights.settings import WeightsSettings

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig, S3Config

_PIECE = 1 << 20
_CONNECT_S, _STANDSTILL_S = 10, 60
_TRIES = 3
_BACKOFF_MS = 200


class Source:
    """Files by their names.

    Every call raises:
        WeightsNotFound: there is no such file, folder or bucket.
        WeightsAccessDenied: these credentials do not open it.
        WeightsInterrupted: the store does not answer, or not to the end.
    """

    def __init__(self, settings: WeightsSettings) -> None:
        """Nothing is asked yet."""
        self._address = settings.source
        with self._told(""):
            self._store = _open(settings)

    async def size(self, name: str) -> int:
        """Bytes of a file."""
        with self._told(name):
            return int((await obstore.head_async(self._store, name))["size"])

    async def whole(self, name: str) -> bytes:
        """A small file."""
        with self._told(name):
            found = await obstore.get_async(self._store, name)
            return bytes(await found.bytes_async())

    async def pieces(self, name: str, start: int) -> AsyncIterator[bytes]:
        """A file from a place on, some MiB at a time."""
        with self._told(name):
            options: GetOptions = {"range": {"offset": start}} if start else {}
            found = await obstore.get_async(self._store, name, options=options)
            async for piece in found.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:
            raise WeightsNotFound(
                f"There is no {name or 'folder'} at {self._address}. Look whether bucket, prefix or path is "
                "right, and whether everything was uploaded."
            ) from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise WeightsAccessDenied(
                f"{self._address} may not be read. Give the ServiceAccount of the model s3:GetObject on it, "
                "or name a Secret with credentials that do; a private repository needs a token."
            ) from error
        except (BaseError, OSError) as error:
            raise WeightsInterrupted(f"{self._address} does not answer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _open(settings: WeightsSettings) -> LocalStore | S3Store | HTTPStore:
    parts = urlsplit(settings.source)
    retries: RetryConfig = {
        "max_retries": _TRIES,
        "backoff": {
            "init_backoff": timedelta(milliseconds=_BACKOFF_MS),
            "max_backoff": timedelta(seconds=5),
            "base": 2,
        },
    }
    if parts.scheme == "s3":
        return _open_bucket(settings, parts.netloc, parts.path.strip("/") or None, retries)
    if parts.scheme in {"http", "https"}:
        return HTTPStore(settings.source, client_options=_options(settings), retry_config=retries)
    if not Path(settings.source).is_dir():
        raise FileNotFoundError(settings.source)
    return LocalStore(settings.source)


def _open_bucket(
    settings: WeightsSettings, bucket: str, prefix: str | None, retries: "RetryConfig"
) -> S3Store:
    config: S3Config = {"region": settings.region}
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    options = _options(settings)
    return S3Store(bucket, prefix=prefix, config=config, client_options=options, retry_config=retries)


def _options(settings: WeightsSettings) -> "ClientConfig":
    options: ClientConfig = {
        "allow_http": (settings.endpoint or settings.source).startswith("http:"),
        "connect_timeout": timedelta(seconds=_CONNECT_S),
        "read_timeout": timedelta(seconds=_STANDSTILL_S),
        "timeout": timedelta(hours=1),  # of one large file on a slow line; `read_timeout` finds the dead
    }
    if settings.token:
        options["default_headers"] = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    return options
