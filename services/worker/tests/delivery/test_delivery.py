"""Webhooks on their way: what arrives, what is tried again, what is given up, and what comes back."""

import asyncio
import json
from typing import Any

import pytest
from openai import OpenAI
from pecia_core.errors import Unavailable
from pecia_fetch import Answer, Poster
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState, NewJob
from pecia_jobs.outbox import Delivery, Outbox
from pecia_jobs.store import Store
from pecia_jobs.webhooks import Signer
from standardwebhooks import Webhook

from .conftest import KEY, Receiver, dispatching, ended, hurry, receiving, settings, tried, until


async def test_a_webhook_arrives(database: Database, receiver: Receiver) -> None:
    """Signed with the tenant's secret, of a job that was read to its end with one page failed."""
    store, leases = Store(database), Leases(database)
    new = NewJob(
        id="scan_20260101_000000_0000000a",
        tenant="acme",
        filename="räksmörgås.pdf",
        media_type="application/pdf",
        input_key="acme/scan/input.pdf",
        input_sha256="0" * 64,
        input_bytes=1000,
        page_numbers=(1,),
        document_pages=1,
        webhook_url=f"{receiver.url}/in?x=1",
    )
    await store.create(new)
    (page,) = await leases.claim("w1", 1)
    await leases.fail(page, "invalid_image", "It cannot be read.", permanent=True)
    (whole,) = await leases.claim("w1", 1)
    assert await leases.finish(whole, JobState.FAILED, error="No page could be read.")
    async with dispatching(Outbox(database)) as metrics:
        record = await until(database, await store.job("acme", new.id), "delivered")
    (got,) = receiver.got
    (secret,) = Signer([KEY]).secrets("acme")
    OpenAI(api_key="unused", webhook_secret=secret).webhooks.verify_signature(got.body, got.headers)
    event = Webhook(secret).verify(got.body, got.headers)
    assert (event["type"], event["data"]["failed_pages"]) == ("job.failed", [1])
    assert event["data"]["filename"] == "räksmörgås.pdf"
    assert (got.path, got.headers["content-type"]) == ("/in?x=1", "application/json")
    assert got.headers["webhook-id"] == record.id == f"evt_{new.id}_webhook"
    assert (record.attempts, record.last_status, record.error) == (1, 200, "")
    labels = {"kind": "webhook", "outcome": "delivered"}
    assert metrics.get_sample_value("pecia_delivery_tries_total", labels) == 1


async def test_it_is_tried_again_under_the_same_id(database: Database, receiver: Receiver) -> None:
    """Each try has a time and signatures of its own, which all hold; the body is the same to the byte."""
    receiver.script["/"] = ["500 Broken", "302 Found;Location: http://127.0.0.1:1/", "204 No Content"]
    job = await ended(database, 1, f"{receiver.url}/")
    async with dispatching(Outbox(database)):
        record = await tried(database, job, 1)
        assert (record.status, record.last_status) == ("pending", 500)
        assert "answered with status 500" in record.error
        await hurry(database)
        record = await tried(database, job, 2)
        assert "redirects are not followed" in record.error
        await asyncio.sleep(1.1)  # signatures are by the second
        await hurry(database)
        record = await until(database, job, "delivered")
    assert record.attempts == 3
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1
    assert receiver.got[0].headers["webhook-signature"] != receiver.got[2].headers["webhook-signature"]
    (secret,) = Signer([KEY]).secrets("acme")
    for got in receiver.got:
        Webhook(secret).verify(got.body, got.headers)


async def test_keys_are_replaced_while_messages_wait(database: Database, receiver: Receiver) -> None:
    """One that failed under the old key arrives with signatures of both: either secret accepts it."""
    receiver.script["/"] = ["503 Busy", "200 OK"]
    job = await ended(database, 1, f"{receiver.url}/")
    async with dispatching(Outbox(database)):
        await tried(database, job, 1)
    await hurry(database)
    new = "n" * 32
    async with dispatching(Outbox(database), signing_keys=(new, KEY)):
        await until(database, job, "delivered")
    got = receiver.got[1]
    for key in (new, KEY):
        (secret,) = Signer([key]).secrets("acme")
        OpenAI(api_key="unused", webhook_secret=secret).webhooks.verify_signature(got.body, got.headers)


async def test_it_is_given_up_and_can_be_sent_again(database: Database, receiver: Receiver) -> None:
    """After twelve tries; it is seen in the list and in the metrics, and a replay has all its tries again."""
    receiver.script["/"] = ["500 Broken"]
    box, job = Outbox(database), await ended(database, 1, f"{receiver.url}/")
    async with dispatching(box) as metrics:
        for attempt in range(1, 13):
            await tried(database, job, attempt)
            await hurry(database)
        record = await tried(database, job, 12)
        assert record.status == "undeliverable"
        assert record.next_attempt is None
        await asyncio.sleep(1.5)
        assert len(receiver.got) == 12
        labels = {"kind": "webhook", "outcome": "undeliverable"}
        assert metrics.get_sample_value("pecia_delivery_tries_total", labels) == 1
        assert await box.counts() == {"pending": 0, "undeliverable": 1}
        receiver.script["/"] = ["200 OK"]
        assert (await box.replay("acme", record.id)).status == "pending"
        record = await until(database, job, "delivered")
    assert record.attempts == 1
    assert {got.headers["webhook-id"] for got in receiver.got} == {record.id}


async def test_gone_is_gone(database: Database, receiver: Receiver) -> None:
    """A receiver that answers 410 is not asked again."""
    receiver.script["/"] = ["410 Gone"]
    job = await ended(database, 1, f"{receiver.url}/")
    async with dispatching(Outbox(database)):
        record = await until(database, job, "undeliverable")
    assert (record.attempts, record.last_status, len(receiver.got)) == (1, 410, 1)
    assert "410 Gone" in record.error


@pytest.mark.parametrize("status", ["429 Slow down", "503 Busy"])
async def test_a_receiver_may_ask_for_time(database: Database, receiver: Receiver, status: str) -> None:
    """It is left alone for as long as it says, six hours at most."""
    receiver.script |= {"/1": [f"{status};Retry-After: 600"], "/2": [f"{status};Retry-After: 999999"]}
    jobs = [await ended(database, number, f"{receiver.url}/{number}") for number in (1, 2)]
    async with dispatching(Outbox(database)):
        waits = [_wait(await tried(database, job, 1)) for job in jobs]
    assert 540 < waits[0] < 660
    assert 21_000 < waits[1] < 21_700


def _wait(record: Any) -> float:
    """Seconds from the job's end until the next try; the test itself takes some of them."""
    wait: float = record.next_attempt - record.created
    return wait


async def test_a_slow_receiver_holds_up_nobody(database: Database, receiver: Receiver) -> None:
    """Others' messages arrive while its own wait; and it gets only its share of connections."""
    async with receiving() as slow:
        slow.script["/"] = [None]
        for number in range(30):
            await ended(database, number, f"{slow.url}/")
        others = [await ended(database, 100 + number, f"{receiver.url}/") for number in range(5)]
        async with dispatching(Outbox(database), timeout_s=3.0, max_concurrent=16, per_receiver=3):
            for job in others:
                await until(database, job, "delivered", within_s=30)
        assert 3 <= slow.most_open <= 6


async def test_a_name_that_turned_private_is_refused(database: Database, receiver: Receiver) -> None:
    """It was public when the job was made. Nothing arrives, and the owner reads why."""

    async def private(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    job = await ended(database, 1, receiver.url.replace("127.0.0.1", "rebound.example"))
    poster = Poster(settings(allowed_private_hosts=()), private)
    async with dispatching(Outbox(database), poster=poster):
        record = await tried(database, job, 1)
    assert (record.status, record.last_status, receiver.got) == ("pending", None, [])
    assert "its address is not a public one" in record.error


async def test_without_a_key_nothing_is_sent(database: Database, receiver: Receiver) -> None:
    """A message that nobody can check is worse than one that is late."""
    job = await ended(database, 1, receiver.url)
    async with dispatching(Outbox(database), signing_keys=()):
        record = await tried(database, job, 1)
    assert "PECIA_WEBHOOKS__SIGNING_KEYS" in record.error
    assert receiver.got == []


async def test_a_broken_delivery_stops_no_other(database: Database, receiver: Receiver) -> None:
    """A bug in one way out is logged and counts as a failed try."""

    async def breaks(delivery: Delivery) -> Answer:
        if delivery.job_id.endswith("1"):
            raise KeyError(delivery.id)
        return Answer(200)

    broken, whole = await ended(database, 1, receiver.url), await ended(database, 2, receiver.url)
    async with dispatching(Outbox(database), ways={"webhook": breaks}):
        await until(database, whole, "delivered")
        assert "Something broke" in (await tried(database, broken, 1)).error


async def test_other_kinds_are_left_to_others(database: Database, receiver: Receiver) -> None:
    """A worker that has no way out for a kind does not take it."""
    job = await ended(database, 1, receiver.url)

    async def never(_delivery: Delivery) -> Answer:
        raise AssertionError

    async with dispatching(Outbox(database), ways={"publish": never}):
        await asyncio.sleep(1.5)
    (record,) = await Outbox(database).deliveries("acme", job.id)
    assert record.attempts == 0


class _Deaf(Outbox):
    """The database does not hear of the first success."""

    deaf = 1

    async def delivered(self, delivery: Delivery, status: int | None = None) -> bool:
        if self.deaf:
            self.deaf -= 1
            raise Unavailable("The job database does not answer.", code="store_unavailable")
        return await super().delivered(delivery, status)


async def test_what_was_not_recorded_is_sent_again(database: Database, receiver: Receiver) -> None:
    """At least once: after the lease, under the same id, so that the receiver can tell."""
    job = await ended(database, 1, receiver.url)
    async with dispatching(_Deaf(database, lease_s=1.0)) as metrics:
        record = await until(database, job, "delivered")
    assert [got.headers["webhook-id"] for got in receiver.got] == [record.id] * 2
    labels = {"kind": "webhook", "outcome": "unknown"}
    assert metrics.get_sample_value("pecia_delivery_tries_total", labels) == 1


async def test_two_workers_send_each_once(database: Database, receiver: Receiver) -> None:
    """Side by side, thirty messages, none of them twice."""
    jobs = [await ended(database, number, f"{receiver.url}/{number}") for number in range(30)]
    async with dispatching(Outbox(database)), dispatching(Outbox(database)):
        for job in jobs:
            await until(database, job, "delivered")
    assert sorted(got.path for got in receiver.got) == sorted(f"/{number}" for number in range(30))


async def test_stopping_lets_what_is_on_its_way_arrive(database: Database, receiver: Receiver) -> None:
    """And takes nothing new."""
    answered = asyncio.Event()

    async def slowly(_delivery: Delivery) -> Answer:
        answered.set()
        await asyncio.sleep(0.5)
        return Answer(200)

    job = await ended(database, 1, receiver.url)
    async with dispatching(Outbox(database), ways={"webhook": slowly}):
        await answered.wait()
    (record,) = await Outbox(database).deliveries("acme", job.id)
    assert record.status == "delivered"


async def test_bodies_tell_nothing_of_the_document(database: Database, receiver: Receiver) -> None:
    """The fields the page about webhooks lists, and no others."""
    job = await ended(database, 1, receiver.url)
    async with dispatching(Outbox(database)):
        await until(database, job, "delivered")
    event = json.loads(receiver.got[0].body)
    assert set(event) == {"type", "timestamp", "data"}
    assert set(event["data"]) == {
        "job_id", "status", "state", "total_pages", "processed_pages", "failed_pages", "filename",
    }  # fmt: skip
