"""Reviews on their way to the review service, as it takes them."""

import json
from typing import Any

import pytest
from pecia_core.errors import NotFound
from pecia_fetch import Poster
from pecia_jobs.database import Database
from pecia_jobs.outbox import Delivery, Outbox
from pecia_jobs.reviews import Reviews
from pecia_jobs.settings import ReviewSettings
from pecia_worker.outgoing import Outgoing
from pecia_worker.review import ReviewSender, callback_url, review_poster
from pecia_worker.settings import Settings

from .conftest import Receiver, dispatching, ended, hurry, settings, tried, until


def _review(receiver: Receiver, **changes: Any) -> ReviewSettings:
    ours = {"api_url": receiver.url, "api_key": "opens it", "callback_url": "https://pecia.example/"}
    return ReviewSettings.model_validate(ours | changes)


async def test_a_review_is_asked_for(database: Database, receiver: Receiver) -> None:
    """With its score, what the intake knows, and where to answer; tried again under the same id and key."""
    receiver.script["/internal/reviews"] = ["500 Broken", "201 Created"]
    job = await ended(database, 1, "")
    asked = await Reviews(database).ask(job, 41.6, {"userId": "u-1", "documentType": "KTP", "score": 99})
    sender = ReviewSender(Reviews(database), _review(receiver), review_poster(_review(receiver), 5.0))
    async with dispatching(Outbox(database), ways={"review": sender.send}):
        await tried(database, job, 1)
        await hurry(database)
        record = await until(database, job, "delivered")
    assert (record.status, record.last_status) == ("delivered", 201)
    first, second = receiver.got
    assert first.path == "/internal/reviews"
    assert first.headers["authorization"] == "Bearer opens it"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == f"evt_{job.id}_review"
    assert first.body == second.body
    assert json.loads(first.body) == {
        "reviewId": asked.id,
        "documentId": job.id,
        "jobId": job.id,
        "userId": "u-1",
        "documentType": "KTP",
        "score": 42,
        "decision": "needs_review",
        "reasons": ["The document was read with little confidence."],
        "callbackUrl": f"https://pecia.example/v1/reviews/{asked.id}",
    }


async def test_what_is_not_known_is_left_out(database: Database, receiver: Receiver) -> None:
    """No score, no key, nowhere to answer: no null, which the service would refuse."""
    job = await ended(database, 1, "")
    await Reviews(database).ask(job, None)
    chosen = _review(receiver, api_key="", callback_url="")
    sender = ReviewSender(Reviews(database), chosen, review_poster(chosen, 5.0))
    async with dispatching(Outbox(database), ways={"review": sender.send}):
        await until(database, job, "delivered")
    (got,) = receiver.got
    assert "authorization" not in got.headers
    assert {"score", "callbackUrl"}.isdisjoint(json.loads(got.body))


async def test_its_way_out_leads_nowhere_else(receiver: Receiver) -> None:
    """The operator named one host, private or not; a caller's URL stays behind the guard of all."""
    private = review_poster(_review(receiver), 5.0)
    assert (await private.post(f"{receiver.url}/x", b"{}", {})).good
    elsewhere = review_poster(_review(receiver, api_url="http://reviews.internal"), 5.0)
    for poster in (elsewhere, Poster(settings(allowed_private_hosts=()))):
        with pytest.raises(Exception, match="not a public one"):
            await poster.post(f"{receiver.url}/x", b"{}", {})
    assert len(receiver.got) == 1


def test_where_answers_go() -> None:
    """To our own route, or right under an address that is a route already."""
    assert callback_url("", "1") is None
    assert callback_url("https://pecia.example", "1") == "https://pecia.example/v1/reviews/1"
    assert callback_url("https://pecia.example/", "1") == "https://pecia.example/v1/reviews/1"
    assert callback_url("https://a.example/internal/reviews/", "1") == "https://a.example/internal/reviews/1"


async def test_a_review_that_is_gone_is_said_so(database: Database, receiver: Receiver) -> None:
    """It ends as undeliverable, with the reason."""
    sender = ReviewSender(Reviews(database), _review(receiver), review_poster(_review(receiver), 5.0))
    with pytest.raises(NotFound):
        await sender.send(Delivery("evt_x_review", "x", "acme", "review", "", b"{}", 1, "t"))


async def test_reviews_have_a_way_only_where_there_is_a_service(
    database: Database, receiver: Receiver
) -> None:
    """Without an address they wait for a worker that has one."""
    without, having = (
        Outgoing(Settings(webhooks=settings(), review=review), database, None)
        for review in (ReviewSettings(), _review(receiver))
    )
    assert (set(without.ways), set(having.ways)) == ({"webhook"}, {"webhook", "review"})
    without.close()
    having.close()
