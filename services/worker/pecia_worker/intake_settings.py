"""The queue of an existing backend, its table and its bucket: groups of the worker's settings."""

from pecia_core.settings import CommaList
from pecia_jobs.settings import BlobSettings
from pydantic import BaseModel, Field, SecretStr

_MIB = 1024 * 1024


class RedisSettings(BaseModel):
    """Redis, for the queue of document ids. Jobs themselves never need it."""

    url: SecretStr = Field(
        SecretStr(""),
        json_schema_extra={"seed_name": "REDIS_URL"},
        description="redis://, rediss:// or unix:// address; empty = no ids are taken.",
    )
    password: SecretStr = Field(
        SecretStr(""),
        json_schema_extra={"seed_name": "REDIS_PASSWORD"},
        description="Where the url has none.",
    )
    timeout_s: float = Field(5.0, gt=0, description="Seconds Redis has for one answer.")


class IntakeSettings(BaseModel):
    """Takes document ids from a list in Redis that an existing backend fills."""

    enabled: bool = Field(
        default=True,
        json_schema_extra={"seed_name": "OCR_GPU_ENABLED"},
        description="Take ids. Without a Redis address none are taken either way.",
    )
    concurrency: int = Field(
        2,
        ge=1,
        json_schema_extra={"seed_name": "OCR_GPU_CONCURRENCY"},
        description="Documents one worker looks up and fetches at once. Pages in flight are MAX_CONCURRENCY.",
    )
    max_retries: int = Field(
        3,
        ge=1,
        json_schema_extra={"seed_name": "OCR_GPU_MAX_RETRIES"},
        description="How often an id is taken, a worker dying over it each time, before it is dead.",
    )
    poll_interval_ms: int = Field(
        1000,
        gt=0,
        json_schema_extra={"seed_name": "OCR_GPU_POLL_INTERVAL"},
        description="Milliseconds between looks at an empty list: from a fifth of this to twice as much.",
    )
    stuck_timeout_ms: int = Field(
        300_000,
        gt=0,
        json_schema_extra={"seed_name": "OCR_GPU_STUCK_TIMEOUT"},
        description="Milliseconds without a sign of life after which an id goes back to the list.",
    )
    reaper_interval_ms: int = Field(
        60_000,
        gt=0,
        json_schema_extra={"seed_name": "OCR_GPU_REAPER_INTERVAL"},
        description="Milliseconds between looks for such ids.",
    )
    max_open: int = Field(
        1000, ge=0, description="Ids being worked on, from which on no more are taken; 0 = any number."
    )
    queue_key: str = Field(
        "filot:ocr:gpu:queue",
        json_schema_extra={"seed_name": "OCR_GPU_QUEUE_KEY"},
        description="List the backend pushes ids to. On a Redis Cluster all keys need the same {tag}.",
    )
    processing_key: str = Field(
        "filot:ocr:gpu:processing",
        json_schema_extra={"seed_name": "OCR_GPU_PROCESSING_KEY"},
        description="Set of ids being worked on.",
    )
    attempts_key: str = Field(
        "filot:ocr:gpu:attempts",
        json_schema_extra={"seed_name": "OCR_GPU_ATTEMPTS_KEY"},
        description="Hash of how often each was taken.",
    )
    publish_channel: str = Field(
        "filot:ocr:gpu:results",
        json_schema_extra={"seed_name": "OCR_GPU_PUBLISH_CHANNEL"},
        description="Channel on which ends are published.",
    )
    dead_key: str = Field("", description="List of ids given up; empty = beside the queue, `...:dead`.")
    stream_key: str = Field(
        "",
        description="Stream that keeps a copy of what is published, for who did not listen; empty = none.",
    )
    stream_length: int = Field(10_000, ge=1, description="Entries the stream keeps, about.")
    publish_max_bytes: int = Field(
        _MIB,
        gt=0,
        description="Bytes of a published message. A longer text is left out of it (null) and stands in the "
        "table: Redis hangs up on listeners who are megabytes behind.",
    )
    tenant: str = Field("filot", min_length=1, description="Whose jobs these are.")
    model: str = Field(
        "deepseek-ocr", description="Model asked for. Without it a CPU engine answers, and that is said."
    )
    languages: CommaList = Field(("ind", "eng"), description="ISO 639 codes of the documents' languages.")
    review_below: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Mean confidence below which, or without which, a person has to look: "
        "`pending_manual_review`.",
    )


class OriginalsSettings(BlobSettings):
    """Where the backend keeps the documents: a bucket (R2, S3) or a folder."""

    max_bytes: int = Field(200 * _MIB, gt=0, description="Bytes of a document that is fetched.")

    @property
    def place(self) -> str:
        """The url, or the whole of the bucket."""
        return self.url or f"s3://{self.bucket}"


class DocumentsSettings(BaseModel):
    """The backend's table of documents: read to find the file, written with the result. Never migrated."""

    url: SecretStr = Field(
        SecretStr(""),
        json_schema_extra={"seed_name": "DATABASE_URL"},
        description="Its database, `postgresql://...`; may be another one than the jobs'.",
    )
    pooled: bool = Field(default=False, description="Whether PgBouncer in transaction mode stands before it.")
    table: str = Field("documents", description="Its name; `schema.name` where it is not in the search path.")
    id: str = Field("id", description="Column of the id: text, uuid or a whole number.")
    file: str = Field("file_url", description="Column of the file's key in the bucket, or its URL.")
    type: str = Field("type", description="Column of the kind of document; empty = there is none.")
    types: CommaList = Field((), description="Kinds that are read; others are refused. Empty = all.")
    status: str = Field("status", description="Column of the status.")
    ocr_text: str = Field("ocr_text", description="Column of the text; empty = not written, as all below.")
    result: str = Field("result_json", description="Column of the result: json, jsonb or text.")
    score: str = Field("ai_score", description="Column of the score, 0 to 100.")
    decision: str = Field("ai_decision", description="Column of the decision.")
    verification: str = Field("verification_status", description="Column of the outcome.")
    processed_at: str = Field("processed_at", description="Column of the time (UTC) it ended.")
    status_processing: str = Field("processing", description="Status while it is being read.")
    status_completed: str = Field("completed", description="Status of one that was read; never changed.")
    status_failed: str = Field("failed", description="Status of one that could not be read.")


class IntakeGroups(BaseModel):
    """What the intake needs to know, as a whole."""

    redis: RedisSettings = Field(default_factory=RedisSettings)
    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    originals: OriginalsSettings = Field(default_factory=OriginalsSettings)
    documents: DocumentsSettings = Field(default_factory=DocumentsSettings)
