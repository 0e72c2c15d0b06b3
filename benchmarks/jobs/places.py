"""Where jobs live while they are tested: SQLite and a folder, or PostgreSQL and a bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pecia_jobs.blobs import Blobs, open_blobs
from pecia_jobs.database import Database
from pecia_jobs.settings import BlobSettings
from pecia_jobs.testing import postgres, sqlite_url

from benchmarks.jobs.buckets import bucket


class Server(Protocol):
    """A database server that can be taken away and put back."""

    def kill(self) -> None:
        """As a power cut does."""

    def start(self) -> None:
        """Again, with what it had committed."""


@dataclass(frozen=True, slots=True)
class Place:
    """`server` is None where there is none to kill."""

    name: str
    database_url: str
    blobs: BlobSettings
    server: Server | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def database(self) -> Database:
        """A way to it, of one's own."""
        return Database(self.database_url)

    def open_blobs(self) -> Blobs:
        """Same."""
        return open_blobs(self.blobs)

    @property
    def settings(self) -> dict[str, str]:
        """For the environment of a gateway or worker."""
        return {
            "PECIA_DATABASE__URL": self.database_url,
            "PECIA_BLOBS__URL": self.blobs.url,
            "PECIA_BLOBS__ENDPOINT": self.blobs.endpoint,
            "PECIA_BLOBS__REGION": self.blobs.region,
            "PECIA_BLOBS__ACCESS_KEY_ID": self.blobs.access_key_id,
            "PECIA_BLOBS__SECRET_ACCESS_KEY": self.blobs.secret_access_key.get_secret_value(),
        }


@contextmanager
def sqlite_place(folder: Path) -> Iterator[Place]:
    """One machine and nothing else."""
    blobs = BlobSettings(url=str(folder / "blobs"))
    yield Place("SQLite", sqlite_url(folder), blobs)


@contextmanager
def postgres_place() -> Iterator[Place]:
    """A server of our own, and a bucket."""
    with postgres() as server, bucket() as blobs:
        yield Place("PostgreSQL", server.url(), blobs, server)
