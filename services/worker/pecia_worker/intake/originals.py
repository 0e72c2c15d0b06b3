"""The documents as the backend keeps them: a bucket, or a folder."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store
from pecia_core.errors import InvalidRequest, NotFound, TooLarge, Unavailable
from pecia_jobs.blobs import open_bucket

from pecia_worker.intake_settings import OriginalsSettings


class Originals:
    """Fetches documents by what the table says of them. It writes nothing."""

    def __init__(self, settings: OriginalsSettings) -> None:
        """Nothing is asked yet."""
        self._settings = settings
        self._place = urlsplit(settings.place)
        self._opened: LocalStore | S3Store | None = None

    async def fetch(self, file: str) -> bytes:
        """The whole document.

        Args:
            file: key in the bucket; or a URL of it, of which only the key is used.

        Raises:
            InvalidRequest: this names nothing in the bucket.
            NotFound: it is not there.
            TooLarge: more bytes than a document may have.
            Unavailable: the bucket cannot be reached.
        """
        key = self.key_of(file)
        try:
            found = await obstore.get_async(self._store(), key)
            if found.meta["size"] > self._settings.max_bytes:
                raise TooLarge(
                    f"The document has more than {self._settings.max_bytes} bytes: send it in parts, or "
                    "raise PECIA_ORIGINALS__MAX_BYTES."
                )
            return bytes(await found.bytes_async())
        except FileNotFoundError as error:
            # A bucket that is not there is the operator's affair, not the document's.
            if "NoSuchBucket" in str(error) or not self._mounted():
                raise _away() from error
            raise NotFound("The document's file is not in the bucket: upload it and push again.") from None
        except (BaseError, OSError) as error:
            raise _away() from error
        except ValueError:
            raise _nothing_there() from None

    def key_of(self, file: str) -> str:
        """The key in the bucket. Raises InvalidRequest where this names none of it."""
        parts = urlsplit(file)
        bucket = self._place.netloc if self._place.scheme == "s3" else ""
        if parts.scheme in {"s3", "r2"}:
            if parts.netloc != bucket:
                raise _nothing_there()
            key = file.partition("://")[2].partition("/")[2]
        elif parts.scheme in {"http", "https"}:
            key = unquote(parts.path).lstrip("/")
            if parts.netloc == urlsplit(self._settings.endpoint).netloc:
                key = key.removeprefix(f"{bucket}/")
        else:
            key = file.lstrip("/")
        if not key or any(part in {"", ".", ".."} for part in key.split("/")):
            raise _nothing_there()
        return key

    def _mounted(self) -> bool:
        return self._place.scheme == "s3" or self._folder.is_dir()

    @property
    def _folder(self) -> Path:
        return Path(self._settings.place.removeprefix("file://")).expanduser()

    def _store(self) -> LocalStore | S3Store:
        if self._opened is None:
            if self._place.scheme == "s3":
                self._opened = open_bucket(self._settings)
            else:
                self._opened = LocalStore(self._folder)
        return self._opened


def _nothing_there() -> InvalidRequest:
    return InvalidRequest(
        "The document's row names no file of the bucket: write its key or its URL there.",
        code="unsupported_value",
    )


def _away() -> Unavailable:
    return Unavailable(
        "The bucket of the documents cannot be reached, is not there, or refuses: check CF_R2_*.",
        code="store_unavailable",
        retry_after=5,
    )
