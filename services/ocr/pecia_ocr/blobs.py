"""Pictures by reference: a folder that this service and its callers share."""

import hashlib
from pathlib import Path

from pecia_core.errors import InvalidRequest, NotFound, TooLarge
from pecia_core.tenants import tenant_slug


class BlobFolder:
    """Reads blobs by key from a folder, and nothing outside it."""

    def __init__(self, root: Path | None, max_bytes: int, *, apart: bool = False) -> None:
        """None = no store is configured; references are refused. `apart`: each tenant has a folder there."""
        self._root = root.resolve() if root else None
        self._max_bytes = max_bytes
        self._apart = apart

    def read(self, key: str, sha256: str = "", tenant: str = "") -> bytes:
        """The bytes of a blob. Blocking. Where tenants are apart, another's blobs are not found.

        Raises:
            InvalidRequest: no store, a key that leaves it, or bytes that are not the ones meant.
            NotFound: no such blob.
            TooLarge: more bytes than a picture may have.
        """
        path = self._path(key)
        try:
            if self._root and self._apart and not path.is_relative_to(self._root / tenant_slug(tenant)):
                raise FileNotFoundError(key)
            with path.open("rb") as blob:
                data = blob.read(self._max_bytes + 1)
        except OSError as error:
            raise NotFound(
                "There is no blob with this key in the store.", param="picture.blob.key"
            ) from error
        if len(data) > self._max_bytes:
            raise TooLarge(
                f"The blob has more than the {self._max_bytes} bytes allowed.", param="picture.blob.key"
            )
        if sha256 and hashlib.sha256(data).hexdigest() != sha256.lower():
            raise InvalidRequest(
                "The blob is not the one meant: its sha256 differs.", param="picture.blob.sha256"
            )
        return data

    def _path(self, key: str) -> Path:
        if self._root is None:
            raise InvalidRequest(
                "This service has no blob store: send the picture itself, or set PECIA_BLOBS__ROOT.",
                code="unsupported_value",
                param="picture.blob",
            )
        try:
            path = (self._root / key).resolve()
        except (OSError, ValueError) as error:
            raise InvalidRequest("The blob key is not a path.", param="picture.blob.key") from error
        if not path.is_relative_to(self._root) or "\x00" in key:
            raise InvalidRequest("The blob key leaves the store.", param="picture.blob.key")
        return path
