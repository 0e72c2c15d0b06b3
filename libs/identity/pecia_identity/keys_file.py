"""The keys file: looked up by services while they run, changed by `pecia keys` in one step."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomlkit
from pecia_core.keys import KeyRecord, KeyRing, KeyWish, make_key, parse_keys, snippet_of

from pecia_identity.watched import Watched

# One that is used, and one that is to follow it.
LIVE_AT_ONCE = 2
_MODE = 0o600


def watched_keys(path: Path, every_s: float) -> Watched[KeyRing]:
    """The keys in a file, read again when it changes.

    Raises:
        ValueError, OSError: it cannot be used.
    """
    return Watched("API keys", [path], lambda: parse_keys(path.read_text()), every_s)


class KeysFile:
    """Changes a keys file: whole or not at all, one after the other, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        """It need not be there before its first key."""
        # Another file is put in its place: a link has to stay one.
        self._path = path.resolve()

    def records(self) -> tuple[KeyRecord, ...]:
        """All of them, in the file's order.

        Raises:
            ValueError, OSError: it cannot be used.
        """
        return tuple(parse_keys(self._text()))

    def create(self, wish: KeyWish) -> tuple[str, KeyRecord]:
        """Add a key; gives it, and what is kept of it.

        Raises:
            ValueError: its names cannot be, two of that name are live, or the file cannot be used.
        """
        with self._alone():
            text = self._text()
            now = datetime.now(UTC)
            same = [one for one in parse_keys(text) if (one.tenant, one.name) == (wish.tenant, wish.name)]
            live = [one.id for one in same if not one.ended(now)]
            if len(live) >= LIVE_AT_ONCE:
                raise ValueError(
                    f"Two keys of this tenant and name are live already: {', '.join(live)}. "
                    "Revoke one of them, or give the new one another name with --name."
                )
            key, record = make_key(wish)
            gap = "\n" if text.strip() else ""
            self._write(text + ("" if text.endswith("\n") or not text else "\n") + gap + snippet_of(record))
        return key, record

    def revoke(self, key_id: str) -> KeyRecord:
        """Take a key back, from now on; its record stays, so that the log's id keeps its meaning.

        Raises:
            ValueError: no such key, or it was revoked before.
        """
        with self._alone():
            text = self._text()
            record = next((one for one in parse_keys(text) if one.id == key_id), None)
            if record is None:
                raise ValueError("There is no key of this id: `pecia keys list` shows those there are.")
            if record.revoked is not None:
                raise ValueError(f"The key was revoked before, at {record.revoked:%Y-%m-%d %H:%M} UTC.")
            document: Any = tomlkit.parse(text)
            for table in document["keys"]:
                if table["id"] == key_id:
                    table["revoked"] = datetime.now(UTC).replace(microsecond=0)
            self._write(tomlkit.dumps(document))
        return record

    def _text(self) -> str:
        return self._path.read_text() if self._path.exists() else ""

    def _write(self, text: str) -> None:
        parse_keys(text)  # never leave a file that no service would take
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), _MODE)
                if self._path.exists():
                    owner = self._path.stat()
                    if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(self._path.parent)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once change it one after the other."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_CREAT | os.O_RDWR, _MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
