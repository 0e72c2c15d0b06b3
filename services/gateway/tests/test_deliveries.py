"""What callers are told of their jobs: deliveries, replays, secrets, and reviewers' decisions."""

import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pecia_core.keys import create_key
from pecia_jobs.database import Database
from pecia_jobs.outbox import Outbox
from pecia_jobs.reviews import Review, Reviews
from pecia_jobs.store import Store
from pecia_jobs.webhooks import Signer

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
_KEY, _SECRET = "k" * 32, "shared with the reviewers"
_URL = "https://receiver.example/in"


@pytest.fixture
def told(with_jobs: dict[str, Any]) -> dict[str, Any]:
    """Settings of a gateway that signs, and that reviewers can answer."""
    return {**with_jobs, "webhooks": {"signing_keys": (_KEY,)}, "review": {"signature_secret": _SECRET}}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The gateway's, from outside."""
    made = Database(database_url)
    yield made
    await made.close()


async def _ended(gateway: Any, data: bytes, **fields: Any) -> str:
    form = {"file": ("a.pdf", data)}
    answer = await gateway.client.post("/v1/jobs", files=form, data={"webhook_url": _URL, **fields})
    assert answer.status_code == 200, answer.text
    job = str(answer.json()["job_id"])
    assert (await gateway.client.delete(f"/jobs/{job}")).json()["message"] == "Job cancelled"
    return job


@BOTH
async def test_deliveries_are_listed_and_sent_again(
    ocr: Any, start_jobs: Any, told: dict[str, Any], database: Database, pdf: Callable[[int], bytes]
) -> None:
    """Under both addresses; a replay has all its tries again and keeps its id."""
    async with start_jobs(ocr, **told) as gateway:
        job = await _ended(gateway, pdf(1))
        assert (await gateway.client.get(f"/jobs/{job}/deliveries")).json() == (
            await gateway.client.get(f"/v1/jobs/{job}/deliveries")
        ).json()
        (one,) = (await gateway.client.get(f"/jobs/{job}/deliveries")).json()["deliveries"]
        assert (one["id"], one["kind"], one["url"]) == (f"evt_{job}_webhook", "webhook", _URL)
        assert (one["status"], one["attempts"], one["last_status"], one["error"]) == ("pending", 0, None, "")
        (delivery,) = await Outbox(database).claim("w", 5)
        await Outbox(database).failed(delivery, 410, "It is gone.", gone=True)
        (one,) = (await gateway.client.get(f"/jobs/{job}/deliveries")).json()["deliveries"]
        assert (one["status"], one["attempts"], one["last_status"], one["error"], one["next_attempt_at"]) == (
            "undeliverable", 1, 410, "It is gone.", None,
        )  # fmt: skip
        again = await gateway.client.post(f"/jobs/{job}/deliveries/{one['id']}/replay")
        assert again.status_code == 200
        assert (again.json()["id"], again.json()["status"], again.json()["attempts"]) == (
            one["id"],
            "pending",
            0,
        )


async def test_others_deliveries_are_not_found(
    ocr: Any, start_jobs: Any, told: dict[str, Any], tmp_path: Path, pdf: Callable[[int], bytes]
) -> None:
    """Neither the list nor a replay; nor a delivery under another job; and each has secrets of its own."""
    keys = [create_key(tenant) for tenant in ("anna", "bert")]
    file = tmp_path / "keys.toml"
    file.write_text("\n".join(record for _, record in keys))
    anna, bert = ({"authorization": f"Bearer {key}"} for key, _ in keys)
    async with start_jobs(ocr, **told, auth={"keys_file": file}) as gateway:
        client = gateway.client
        client.headers.update(anna)
        first, second = await _ended(gateway, pdf(1)), await _ended(gateway, pdf(2))
        for answer in (
            await client.get(f"/jobs/{first}/deliveries", headers=bert),
            await client.post(f"/jobs/{first}/deliveries/evt_{first}_webhook/replay", headers=bert),
            await client.post(f"/jobs/{first}/deliveries/evt_{second}_webhook/replay"),
            await client.get("/jobs/a.pdf_20200101_000000_00000000/deliveries"),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert (await client.get("/v1/webhooks/secrets", headers={"authorization": ""})).status_code == 401
        seen = [(await client.get("/v1/webhooks/secrets", headers=who)).json() for who in (anna, bert)]
    assert seen == [{"secrets": Signer([_KEY]).secrets(tenant)} for tenant in ("anna", "bert")]


async def test_a_url_that_can_never_be_told_is_refused(
    ocr: Any, start_jobs: Any, told: dict[str, Any], pdf: Callable[[int], bytes]
) -> None:
    """When the job is made, not when it ends; and so is any URL where nothing can be signed."""
    form = {"file": ("a.pdf", pdf(1))}
    async with start_jobs(ocr, **told) as gateway:
        for url in ("http://receiver.example/", "ftp://receiver.example/", "https://u:p@receiver.example/"):
            answer = await gateway.client.post("/v1/jobs", files=form, data={"webhook_url": url})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (
                400, "invalid_webhook_url", "webhook_url",
            )  # fmt: skip


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_without_keys_there_are_no_webhooks(
    ocr: Any, start_jobs: Any, with_jobs: dict[str, Any], pdf: Callable[[int], bytes]
) -> None:
    """Several machines need a key from their operator: that is said when the job is made."""
    async with start_jobs(ocr, **with_jobs) as gateway:
        form = {"file": ("a.pdf", pdf(1))}
        answer = await gateway.client.post("/v1/jobs", files=form, data={"webhook_url": _URL})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "webhooks_off")
        assert "PECIA_WEBHOOKS__SIGNING_KEYS" in answer.json()["detail"]
        assert (await gateway.client.get("/v1/webhooks/secrets")).status_code == 400
        assert (await gateway.client.post("/v1/jobs", files=form)).status_code == 200


async def _asked(gateway: Any, database: Database, data: bytes) -> Review:
    job = await _ended(gateway, data)
    return await Reviews(database).ask(await Store(database).job("default", job), 40.0)


def _signed(body: bytes, secret: str = _SECRET) -> dict[str, str]:
    return {"x-buli2-signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@BOTH
async def test_a_reviewer_decides(
    ocr: Any, start_jobs: Any, told: dict[str, Any], database: Database, pdf: Callable[[int], bytes]
) -> None:
    """Once: the same again is the same answer, anything else is refused."""
    async with start_jobs(ocr, **told) as gateway:
        review = await _asked(gateway, database, pdf(1))
        url = f"/v1/reviews/{review.id}"
        body = json.dumps({"decision": "approved", "notes": "läsbar", "taskId": "t-1"}).encode()
        first = await gateway.client.post(url, content=body, headers=_signed(body))
        assert first.status_code == 200, first.text
        assert (first.json()["success"], first.json()["decision"]) == (True, "approved")
        bare = {"x-buli2-signature": _signed(body)["x-buli2-signature"].removeprefix("sha256=")}
        again = await gateway.client.post(url, content=body, headers=bare)
        assert (again.status_code, again.json()) == (200, first.json())
        other = b'{"decision": "rejected"}'
        refused = await gateway.client.post(url, content=other, headers=_signed(other))
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "review_decided")
        assert refused.headers["x-should-retry"] == "false"
        job = (await gateway.client.get(f"/v1/jobs/{review.job_id}")).json()
        metadata = (await gateway.client.get(f"/v1/jobs/{review.job_id}/metadata")).json()
        listed = (await gateway.client.get("/v1/jobs")).json()["jobs"]
    kept = await Reviews(database).of_job(review.job_id)
    assert kept is not None
    assert (kept.status, kept.notes) == ("approved", "läsbar")
    assert job["detail"]["review"] == metadata["review"]
    assert metadata["review"] == {
        "status": "approved",
        "score": 40.0,
        "notes": "läsbar",
        "asked_at": kept.created,
        "decided_at": kept.decided,
    }
    assert [one["detail"]["review"] for one in listed] == [None]


async def test_what_is_not_signed_is_not_believed(
    ocr: Any, start_jobs: Any, told: dict[str, Any], database: Database, pdf: Callable[[int], bytes]
) -> None:
    """No signature, another secret's, another body's: all alike, whether the review is there or not."""
    async with start_jobs(ocr, **told) as gateway:
        review = await _asked(gateway, database, pdf(1))
        body = b'{"decision": "approved"}'
        wrong: list[Any] = [{}, _signed(body, "guessed"), _signed(body + b" ")]
        wrong += [{"x-buli2-signature": said} for said in (b"sha256=", b"", b"\xff", b"0" * 64)]
        for review_id in (review.id, str(uuid.uuid4())):
            for headers in wrong:
                answer = await gateway.client.post(f"/v1/reviews/{review_id}", content=body, headers=headers)
                assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_signature")
        large = b"x" * 70_000
        answer = await gateway.client.post(f"/v1/reviews/{review.id}", content=large, headers=_signed(large))
        assert answer.status_code == 413
    kept = await Reviews(database).of_job(review.job_id)
    assert kept == review


async def test_what_is_no_decision_is_said_so(
    ocr: Any, start_jobs: Any, told: dict[str, Any], database: Database, pdf: Callable[[int], bytes]
) -> None:
    """Signed, but about nothing that is here, or saying nothing that can be done."""
    async with start_jobs(ocr, **told) as gateway:
        review = await _asked(gateway, database, pdf(1))
        for review_id, said, status in (
            (str(uuid.uuid4()), {"decision": "approved"}, 404),
            (review.id, {"decision": "approved", "documentId": "another"}, 404),
            (review.id, {"decision": "maybe"}, 400),
            (review.id, {}, 400),
            (review.id, [], 400),
        ):
            body = json.dumps(said).encode()
            answer = await gateway.client.post(
                f"/v1/reviews/{review_id}", content=body, headers=_signed(body)
            )
            assert answer.status_code == status, answer.text


async def test_without_a_secret_nobody_is_believed(
    ocr: Any, start_jobs: Any, with_jobs: dict[str, Any]
) -> None:
    """An empty secret is no secret: a signature made with it is refused."""
    async with start_jobs(ocr, **with_jobs) as gateway:
        body = b'{"decision": "approved"}'
        answer = await gateway.client.post(
            f"/v1/reviews/{uuid.uuid4()}", content=body, headers=_signed(body, "")
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_signature")
