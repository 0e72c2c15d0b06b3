"""What operators are told: keys, and what there was and is of a tenant."""

from pydantic import BaseModel, Field


class KeyView(BaseModel):
    """One key, without anything that opens."""

    id: str = Field(description="The visible part of the key.", examples=["0123abcd"])
    tenant: str = Field(description="Whose it is.")
    name: str = Field(description="What it is used for; empty = not said.")
    scopes: list[str] = Field(description="What it may be used for.")
    trusted: bool = Field(description="Whether its word on the tenant is believed.")
    created_at: float | None = Field(description="Seconds since 1970.")
    expires_at: float | None = Field(description="Seconds since 1970; null = never.")
    revoked_at: float | None = Field(description="Seconds since 1970; null = it was not.")
    last_used_at: float | None = Field(description="Seconds since 1970, half a minute late; null = unknown.")


class KeyList(BaseModel):
    """All keys in the keys file."""

    keys: list[KeyView]


class HoldingsView(BaseModel):
    """How much there is of a tenant."""

    jobs: int = Field(description="Jobs, those that have ended included.")
    pages: int = Field(description="Their pages, and one more for putting each document together.")
    deliveries: int = Field(description="Webhooks and other messages, sent or not.")
    reviews: int = Field(description="Questions to reviewers.")
    blobs: int = Field(description="Documents and results in the blob store.")
    blob_bytes: int = Field(description="Bytes of them.")
    sweeping: int = Field(description="Folders that are emptied once more, since a worker was busy there.")
    settings: int = Field(description="1 = the tenant has a share and a place of its own in the queue.")


class TenantView(BaseModel):
    """What there is."""

    tenant: str
    holdings: HoldingsView
    live_keys: list[str] = Field(description="Ids of keys that still work: revoke them before deleting.")


class TenantGone(BaseModel):
    """The receipt of a deletion; the audit log holds the same."""

    tenant: str
    had: HoldingsView = Field(description="What there was.")
    left: HoldingsView = Field(description="What there is now: all zero, or ask again.")
    results: dict[str, int | None] = Field(
        description="Kept readings that each pod of the ocr service forgot; null = it did not answer, and "
        "forgets them when their time is over."
    )
    live_keys: list[str] = Field(description="Ids of keys that still work, and can bring new data.")
    gone: bool = Field(description="Whether nothing is left, and every pod has answered.")
