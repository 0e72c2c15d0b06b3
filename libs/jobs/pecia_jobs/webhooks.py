"""Webhooks as their receivers see them: a small JSON body, signed as Standard Webhooks says.

Every tenant has secrets of its own, one for each signing key of the installation, so that a key can be
replaced while receivers still know the old secret: each message carries a signature of every key.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pecia_core.errors import InvalidRequest
from standardwebhooks import Webhook

from pecia_jobs.model import Job, JobState
from pecia_jobs.settings import WebhookSettings

_TYPES = {
    JobState.DONE: "job.completed",
    JobState.PARTIAL: "job.partial",
    JobState.FAILED: "job.failed",
    JobState.CANCELLED: "job.cancelled",
}
# A document of ten thousand pages may fail on all of them; whoever wants to know asks for the pages.
_MOST_NUMBERS = 1_000
_MOST_NAME = 255
_SHORTEST_KEY = 32
_HEAD = "# Signs webhooks. Newest key first; an old one stays until its receivers know the new.\n"


class Signer:
    """Signs messages, and knows the secrets by which their receivers check them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Know `keys` of this installation, newest first; none = nothing can be signed.

        Raises:
            ValueError: a key is too short.
        """
        if any(len(key) < _SHORTEST_KEY for key in keys):
            raise ValueError(f"A key that signs webhooks needs at least {_SHORTEST_KEY} characters.")
        self._keys = tuple(key.encode() for key in keys)

    @property
    def ready(self) -> bool:
        """Whether there is a key at all."""
        return bool(self._keys)

    def secrets(self, tenant: str) -> list[str]:
        """What a tenant checks signatures with, newest first; tells nothing about other tenants' secrets.

        Raises:
            InvalidRequest: `webhooks_off`, there is no key.
        """
        if not self._keys:
            raise InvalidRequest(
                "Webhooks cannot be signed here, so there are none: its operator has to set "
                "PECIA_WEBHOOKS__SIGNING_KEYS for the gateway and the workers.",
                code="webhooks_off",
            )
        return [_secret(key, tenant) for key in self._keys]

    def headers(self, tenant: str, message_id: str, body: bytes, now: float) -> dict[str, str]:
        """The three headers of Standard Webhooks.

        Args:
            tenant: whose secrets sign.
            message_id: the same for every try.
            body: as it is sent, byte for byte; UTF-8.
            now: seconds since 1970, of this try.

        Raises:
            InvalidRequest: `webhooks_off`, there is no key.
        """
        at, text = datetime.fromtimestamp(int(now), UTC), body.decode()
        signatures = [Webhook(secret).sign(message_id, at, text) for secret in self.secrets(tenant)]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": " ".join(signatures),
        }


def signing_keys(settings: WebhookSettings, folder: Path | None) -> tuple[str, ...]:
    """The keys of this installation, newest first: from the settings, else from the keys file. Blocking.

    Args:
        settings: where to look.
        folder: what all services share, where they share one: the file is there unless the settings say
            otherwise, and is made where it is not. None = nothing is made: services that share no file
            would each sign with a key of their own.

    Raises:
        OSError: the file cannot be read or made.
    """
    if settings.signing_keys:
        return settings.signing_keys
    file = settings.keys_file or (folder / "webhook.keys" if folder else None)
    if file is None:
        return ()
    if folder is not None:
        _make(file)
    lines = (line.strip() for line in file.read_text().splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def event_body(job: Job, failed_pages: Sequence[int]) -> bytes:
    """What a receiver is told of a job that has ended: some kilobytes at most, and no text of it."""
    data = {
        "job_id": job.id,
        "status": job.status,
        "state": job.state,
        "total_pages": job.pages_total,
        "processed_pages": job.pages_done,
        "failed_pages": list(failed_pages[:_MOST_NUMBERS]),
        "filename": job.filename[:_MOST_NAME],
    }
    ended = datetime.fromtimestamp(job.finished or job.created, UTC)
    at = ended.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"type": _TYPES[job.state], "timestamp": at, "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _secret(key: bytes, tenant: str) -> str:
    derived = hmac.digest(key, f"webhook:{tenant}".encode(), hashlib.sha256)
    return "whsec_" + base64.b64encode(derived).decode()


def _make(path: Path) -> None:
    """Make the file unless it is there; of several that try at once, one wins."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{_HEAD}{secrets.token_urlsafe(32)}\n")
    try:
        os.link(mine, path)
    except FileExistsError:
        pass  # somebody was faster; their key it is
    finally:
        mine.unlink()
