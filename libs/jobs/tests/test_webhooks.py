"""What receivers see of webhooks: checked with the libraries they use, unmodified."""

import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from pecia_core.errors import InvalidRequest
from pecia_core.vocabulary import Priority
from pecia_jobs.model import Job, JobOptions, JobState
from pecia_jobs.settings import WebhookSettings
from pecia_jobs.webhooks import Signer, event_body, signing_keys
from standardwebhooks import Webhook, WebhookVerificationError

_OLD, _NEW = "o" * 32, "n" * 32
_BODY = '{"type":"job.completed","data":{"filename":"räksmörgås.pdf"}}'.encode()


def _job(state: JobState, **changes: Any) -> Job:
    plain: dict[str, Any] = {
        "id": "scan_20261120_101500_0a1b2c3d",
        "tenant": "acme",
        "filename": "scan.pdf",
        "media_type": "application/pdf",
        "input_key": "acme/x/input.pdf",
        "input_bytes": 10,
        "document_pages": 3,
        "options": JobOptions(),
        "priority": Priority.DEFAULT,
        "pages_total": 3,
        "pages_done": 2,
        "pages_failed": 1,
        "bytes_stored": 10,
        "seq": 9,
        "created": 1_763_633_000.0,
        "finished": 1_763_633_700.25,
    }
    return Job(state=state, **(plain | changes))


def _verified_by_openai(body: bytes, headers: dict[str, str], secret: str) -> bool:
    client = OpenAI(api_key="unused", webhook_secret=secret)
    try:
        client.webhooks.verify_signature(body, headers)
    except InvalidWebhookSignatureError:
        return False
    return True


def test_openai_and_standardwebhooks_accept_what_is_signed() -> None:
    """The secret as the tenant gets it is the secret as these libraries take it."""
    signer = Signer([_NEW])
    (secret,) = signer.secrets("acme")
    headers = signer.headers("acme", "evt_1_webhook", _BODY, time.time())
    assert _verified_by_openai(_BODY, headers, secret)
    assert Webhook(secret).verify(_BODY, headers) == json.loads(_BODY)
    event = OpenAI(api_key="unused").webhooks.unwrap(_BODY, headers, secret=secret)
    assert event.model_dump()["type"] == "job.completed"
    assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}


def test_nothing_else_is_accepted() -> None:
    """Another body, id, time or tenant's secret."""
    signer = Signer([_NEW])
    (secret,), (other,) = signer.secrets("acme"), signer.secrets("umbrella")
    headers = signer.headers("acme", "evt_1_webhook", _BODY, time.time())
    assert not _verified_by_openai(_BODY + b" ", headers, secret)
    assert not _verified_by_openai(_BODY, headers | {"webhook-id": "evt_2_webhook"}, secret)
    later = str(int(headers["webhook-timestamp"]) + 1)
    assert not _verified_by_openai(_BODY, headers | {"webhook-timestamp": later}, secret)
    assert not _verified_by_openai(_BODY, headers, other)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(_BODY, headers)


def test_an_old_message_is_refused() -> None:
    """Five minutes: who keeps one cannot use it later. So every try has a time of its own."""
    signer = Signer([_NEW])
    (secret,) = signer.secrets("acme")
    headers = signer.headers("acme", "evt_1_webhook", _BODY, time.time() - 400)
    assert not _verified_by_openai(_BODY, headers, secret)


def test_rotation() -> None:
    """While both keys are set, receivers with the old secret and with the new one accept every message."""
    before, during, after = Signer([_OLD]), Signer([_NEW, _OLD]), Signer([_NEW])
    (old,), (new,) = before.secrets("acme"), after.secrets("acme")
    assert during.secrets("acme") == [new, old]
    headers = during.headers("acme", "evt_1_webhook", _BODY, time.time())
    signatures = headers["webhook-signature"].split(" ")
    assert [signature[:3] for signature in signatures] == ["v1,", "v1,"]
    assert (
        signatures[0]
        == after.headers("acme", "evt_1_webhook", _BODY, float(headers["webhook-timestamp"]))[
            "webhook-signature"
        ]
    )
    for secret in (old, new):
        assert _verified_by_openai(_BODY, headers, secret)
        assert Webhook(secret).verify(_BODY, headers)
    assert not _verified_by_openai(_BODY, after.headers("acme", "evt_1_webhook", _BODY, time.time()), old)


def test_without_a_key_nothing_is_signed() -> None:
    """And it is said what to do."""
    signer = Signer([])
    assert not signer.ready
    with pytest.raises(InvalidRequest, match="PECIA_WEBHOOKS__SIGNING_KEYS") as caught:
        signer.secrets("acme")
    assert caught.value.code == "webhooks_off"


def test_short_keys_are_refused() -> None:
    """What can be guessed signs nothing; and the message does not show it."""
    with pytest.raises(ValueError, match="at least 32 characters") as caught:
        Signer(["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_keys_are_made_once(tmp_path: Path) -> None:
    """A gateway and a worker that start together have the same; nobody else may read it."""
    settings, folder = WebhookSettings(), tmp_path / "deep"
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: signing_keys(settings, folder), range(16)))
    assert len(set(made)) == 1
    assert Signer(made[0]).ready
    (file,) = folder.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("webhook.keys", 0o600)


def test_keys_are_not_made_where_nothing_is_shared(tmp_path: Path) -> None:
    """Each machine would have its own; and a file that is named and missing is a mistake to be told."""
    assert signing_keys(WebhookSettings(), None) == ()
    with pytest.raises(FileNotFoundError):
        signing_keys(WebhookSettings(keys_file=tmp_path / "webhook.keys"), None)


def test_keys_in_settings_and_in_the_file(tmp_path: Path) -> None:
    """Settings win; the file has one on a line, newest first; neither shows in a log."""
    file = tmp_path / "webhook.keys"
    file.write_text(f"# ours\n{_NEW}\n\n  {_OLD}  \n")
    assert signing_keys(WebhookSettings(keys_file=file), None) == (_NEW, _OLD)
    assert signing_keys(WebhookSettings(), tmp_path) == (_NEW, _OLD)
    settings = WebhookSettings.model_validate({"keys_file": file, "signing_keys": f"{_OLD}, {_NEW}"})
    assert signing_keys(settings, tmp_path) == (_OLD, _NEW)
    assert _OLD not in repr(settings)


@pytest.mark.parametrize(
    ("state", "kind", "status"),
    [
        (JobState.DONE, "job.completed", "completed"),
        (JobState.PARTIAL, "job.partial", "completed"),
        (JobState.FAILED, "job.failed", "failed"),
        (JobState.CANCELLED, "job.cancelled", "cancelled"),
    ],
)
def test_what_is_told(state: JobState, kind: str, status: str) -> None:
    """How it ended, which pages failed, and when; nothing of what the document says."""
    assert json.loads(event_body(_job(state), [2])) == {
        "type": kind,
        "timestamp": "2025-11-20T10:15:00.250Z",
        "data": {
            "job_id": "scan_20261120_101500_0a1b2c3d",
            "status": status,
            "state": state,
            "total_pages": 3,
            "processed_pages": 2,
            "failed_pages": [2],
            "filename": "scan.pdf",
        },
    }


def test_bodies_stay_small() -> None:
    """Whatever a document is called and however many of its pages failed; also with half a character."""
    job = _job(JobState.FAILED, filename="\ud800" + "語" * 5000, pages_total=100_000, pages_failed=100_000)
    body = event_body(job, range(1, 100_001))
    assert len(body) < 8_192
    assert len(json.loads(body)["data"]["failed_pages"]) == 1_000
