"""What is told to others: deliveries of a job, secrets that check them, and what reviewers decide."""

from typing import Literal

from pydantic import BaseModel, Field


class DeliveryView(BaseModel):
    """One message, and how far it has come. Times are seconds since 1970."""

    id: str = Field(description="The same in every try: the header `webhook-id`.")
    kind: str = Field(description="webhook, or another system that is told.", examples=["webhook"])
    url: str = Field(description="Where it goes; empty where the settings say it.")
    status: Literal["pending", "delivered", "undeliverable"]
    attempts: int
    last_status: int | None = Field(description="HTTP status of the last answer; null = there was none.")
    error: str = Field(description="What went wrong in the last try; empty = nothing.")
    created_at: float
    delivered_at: float | None
    next_attempt_at: float | None


class DeliveryList(BaseModel):
    """All that is told of a job, oldest first."""

    deliveries: list[DeliveryView]


class WebhookSecrets(BaseModel):
    """What this caller checks signatures with. Any one that fits will do."""

    secrets: list[str] = Field(description="Newest first; two while a key is being replaced.")


class Decision(BaseModel):
    """What the review service says of a document. Fields not named here are passed over."""

    decision: Literal["approved", "rejected"]
    notes: str | None = Field(None, description="For people; 1000 characters are kept.")
    documentId: str | None = Field(None, description="Has to be the document the review is about.")  # noqa: N815 - the review service's name


class Decided(BaseModel):
    """The decision as it is kept."""

    success: Literal[True] = True
    review_id: str
    decision: Literal["approved", "rejected"]
    decided_at: float = Field(description="Seconds since 1970.")
