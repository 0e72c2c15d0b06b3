"""What the review service says: read with a bound, believed only where it is signed, and kept once."""

import hashlib
import hmac

from fastapi import Request
from pecia_core.errors import InvalidRequest, TooLarge, Unauthenticated
from pecia_jobs.reviews import Review, Reviews, ReviewStatus
from pydantic import SecretStr, ValidationError

from pecia_gateway.schemas.deliveries import Decision

# Nobody has shown a key when this is read.
_MAX_BYTES = 64 * 1024
_SCHEME = "sha256="


class Callbacks:
    """Takes decisions about documents."""

    def __init__(self, reviews: Reviews, secret: SecretStr) -> None:
        """Keep decisions in `reviews`; an empty `secret` takes none."""
        self._reviews = reviews
        self._secret = secret.get_secret_value().encode()

    async def read(self, request: Request, signature: str) -> Decision:
        """The decision in a body that is signed.

        Raises:
            Unauthenticated: `invalid_signature`; nothing was looked up.
            TooLarge, InvalidRequest: it is no decision.
        """
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BYTES:
                raise TooLarge(
                    f"A decision has at most {_MAX_BYTES} bytes. Send shorter notes.",
                    code="request_too_large",
                )
        self._check(bytes(body), signature)
        try:
            return Decision.model_validate_json(bytes(body))
        except ValidationError as error:
            worst = error.errors(include_input=False, include_url=False)[0]
            param = str(worst["loc"][0]) if worst["loc"] else None
            raise InvalidRequest(f"{param or 'The body'}: {worst['msg']}.", param=param) from None

    async def decide(self, review_id: str, decision: Decision) -> Review:
        """Keep it. Raises NotFound and Conflict as `Reviews.decide`."""
        status = ReviewStatus(decision.decision)
        notes, document = decision.notes or "", decision.documentId or ""
        return await self._reviews.decide(review_id, status, notes, document)

    def _check(self, body: bytes, signature: str) -> None:
        said = signature.strip().removeprefix(_SCHEME).lower()
        right = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        if not self._secret or not hmac.compare_digest(said.encode(), right.encode()):
            raise Unauthenticated(
                "This callback is not signed with the secret that is set here: send x-buli2-signature with "
                "sha256= and the HMAC of the body, and set BULI2_SIGNATURE_SECRET on both sides.",
                code="invalid_signature",
            )
