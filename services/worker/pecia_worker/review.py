"""Documents that were read with little confidence go to people: asked here, answered at the gateway."""

import json
from urllib.parse import urlsplit

from pecia_core.errors import NotFound
from pecia_fetch import Answer, Poster
from pecia_fetch.settings import PostSettings
from pecia_jobs.outbox import Delivery
from pecia_jobs.reviews import Review, Reviews
from pecia_jobs.settings import ReviewSettings

_NEEDS_REVIEW = "needs_review"
_REASONS = ["The document was read with little confidence."]


class ReviewSender:
    """Sends reviews to the service the settings name."""

    def __init__(self, reviews: Reviews, settings: ReviewSettings, poster: Poster) -> None:
        """Nothing is sent yet.

        Args:
            reviews: what is asked.
            settings: of whom.
            poster: may reach the service: see `review_poster`.
        """
        self._reviews = reviews
        self._settings = settings
        self._poster = poster

    async def send(self, delivery: Delivery) -> Answer:
        """One try; the review's id and the key are the same in all of them.

        Raises:
            PeciaError: nothing was sent, or no answer came.
        """
        review = await self._reviews.of_job(delivery.job_id)
        if review is None:
            raise NotFound("This review is gone: nobody has to be asked any more.")
        headers = {"Content-Type": "application/json", "Idempotency-Key": delivery.id}
        if key := self._settings.api_key.get_secret_value():
            headers["Authorization"] = f"Bearer {key}"
        body = self._asked(review, json.loads(delivery.body or b"{}"))
        return await self._poster.post(self._address, body, headers)

    @property
    def _address(self) -> str:
        return self._settings.api_url.rstrip("/") + self._settings.api_path

    def _asked(self, review: Review, facts: dict[str, object]) -> bytes:
        """What is asked; the names are the review service's own."""
        asked = {
            "decision": _NEEDS_REVIEW,
            "reasons": _REASONS,
            **facts,
            "reviewId": review.id,
            "documentId": review.reference or review.job_id,
            "jobId": review.job_id,
            "score": None if review.score is None else round(review.score),
            "callbackUrl": callback_url(self._settings.callback_url, review.id),
        }
        known = {name: value for name, value in asked.items() if value is not None}
        return json.dumps(known, ensure_ascii=False).encode(errors="replace")


def callback_url(base: str, review_id: str) -> str | None:
    """Where the answer goes: our own route under a bare address, or right under an address with a path."""
    if not base:
        return None
    route = "" if urlsplit(base).path.strip("/") else "/v1/reviews"
    return f"{base.rstrip('/')}{route}/{review_id}"


def review_poster(settings: ReviewSettings, timeout_s: float) -> Poster:
    """A way out for the review service alone, which the operator named: it may be private, and speak http."""
    host = urlsplit(settings.api_url).hostname or ""
    return Poster(PostSettings(allow_http=True, allowed_private_hosts=(host,), timeout_s=timeout_s))
