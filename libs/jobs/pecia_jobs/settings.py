"""What jobs need of the world: groups of settings that the gateway and the worker share."""

import os
from pathlib import Path

from pecia_core.settings import CommaList, NamedPath
from pecia_fetch.settings import PostSettings
from pydantic import BaseModel, Field, SecretStr

_STATE = "${XDG_STATE_HOME:-~/.local/state}/pecia/jobs"


def state_folder() -> Path:
    """Where jobs live on one machine when nothing else is said."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "pecia" / "jobs"


class DatabaseSettings(BaseModel):
    """Where jobs are written down."""

    url: SecretStr = Field(
        SecretStr(""),
        json_schema_extra={"seed_name": "DATABASE_URL", "default_text": f"`{_STATE}/jobs.sqlite3`"},
        description="`postgresql://user:password@host/name`, or `sqlite:///PATH` on one machine alone: never "
        "on a network's file system. Empty = a file in the state folder.",
    )
    pool_size: int = Field(5, ge=1, description="Connections a process has at most.")
    pooled: bool = Field(
        default=False,
        description="Whether the address leads to PgBouncer in transaction mode: what a connection is set to "
        "is then set for each transaction, and no statement is prepared ahead.",
    )
    patience_s: float = Field(
        30.0, ge=0, description="Seconds the database may be away before callers are told."
    )

    @property
    def place(self) -> str:
        """The address that counts."""
        return self.url.get_secret_value() or f"sqlite:///{state_folder() / 'jobs.sqlite3'}"


class JobSettings(BaseModel):
    """How pages are shared out, and how long jobs stay."""

    lease_s: float = Field(
        30.0,
        ge=1,
        description="Seconds after which a page goes to others when its worker is silent. It is renewed "
        "three times meanwhile.",
    )
    max_attempts: int = Field(
        5,
        ge=1,
        description="Tries of a page before it counts as failed. Putting a job together has four times as "
        "many: all its pages' work hangs on it.",
    )
    tenant_max_running: int = Field(
        2**31 - 1, ge=1, description="Pages of one tenant that may be read at the same time."
    )
    max_storage_mb: int = Field(
        10_240,
        gt=0,
        json_schema_extra={"seed_name": "MAX_JOB_STORAGE_MB"},
        description="Mebibytes of all jobs together; beyond it the oldest ended ones are deleted.",
    )
    max_count: int = Field(
        1000,
        gt=0,
        json_schema_extra={"seed_name": "MAX_JOB_COUNT"},
        description="Jobs that are kept; beyond it the oldest ended ones are deleted.",
    )
    max_age_hours: float = Field(
        168.0,
        gt=0,
        json_schema_extra={"seed_name": "MAX_JOB_AGE_HOURS"},
        description="Hours after its end at which a job is deleted.",
    )


class BlobSettings(BaseModel):
    """Where documents and results lie."""

    url: str = Field(
        "",
        json_schema_extra={"default_text": f"`{_STATE}/blobs`"},
        description="A folder, or `s3://bucket/prefix` (S3, R2, and what speaks as they do). The gateway and "
        "all workers have to see the same one. Empty = the bucket below, or without one a folder.",
    )
    endpoint: str = Field(
        "",
        json_schema_extra={"seed_name": "CF_R2_ENDPOINT"},
        description="Address of a store that is not Amazon's, such as `https://<account>.r2.cloudflarestorage.com`.",
    )
    region: str = Field("auto", description="Region of the bucket; R2 says `auto`.")
    bucket: str = Field(
        "",
        json_schema_extra={"seed_name": "CF_R2_BUCKET_NAME"},
        description="Bucket used under the prefix `pecia-jobs` when no url is given.",
    )
    access_key_id: str = Field(
        "",
        json_schema_extra={"seed_name": "CF_R2_ACCESS_KEY_ID"},
        description="Empty = what the machine or pod is given: its role, its environment.",
    )
    secret_access_key: SecretStr = Field(
        SecretStr(""),
        json_schema_extra={"seed_name": "CF_R2_SECRET_ACCESS_KEY"},
        description="Belongs to the access key.",
    )
    retry_s: float = Field(
        15.0,
        gt=0,
        description="Seconds a request to the bucket may be repeated before the store counts as unavailable.",
    )

    @property
    def place(self) -> str:
        """The folder or the `s3://` address that counts."""
        if self.url:
            return self.url
        return f"s3://{self.bucket}/pecia-jobs" if self.bucket else str(state_folder() / "blobs")


class WebhookSettings(PostSettings):
    """Messages to callers' own addresses when their jobs end, and to others that are named here."""

    signing_keys: CommaList = Field(
        (),
        repr=False,
        description="Comma-separated secrets of at least 32 characters, newest first, from which every "
        "tenant's own are derived. To replace one, put a new one in front and take the old one away when its "
        "receivers know the new. The gateway and all workers need the same. Empty = the keys file.",
    )
    keys_file: NamedPath | None = Field(
        None,
        description="File with the same, one on a line, newest first. Empty = `webhook.keys` beside the "
        "SQLite file, which is made where it is not there; with PostgreSQL there is none.",
    )
    poll_s: float = Field(1.0, gt=0, description="Seconds between looks for messages that are due.")
    per_receiver: int = Field(
        4,
        ge=1,
        description="Messages on their way to one receiver at once: a slow one holds up its own only.",
    )


class ReviewSettings(BaseModel):
    """The service where people look at documents that were read with little confidence."""

    api_url: str = Field(
        "",
        json_schema_extra={"seed_name": "BULI2_API_URL"},
        description="Address of the review service, which may be a private one; empty = there is none.",
    )
    api_path: str = Field("/internal/reviews", description="Where it takes reviews, under its address.")
    api_key: SecretStr = Field(
        SecretStr(""),
        json_schema_extra={"seed_name": "BULI2_API_KEY"},
        description="Sent to it as a bearer token; empty = none.",
    )
    callback_url: str = Field(
        "",
        json_schema_extra={"seed_name": "BULI2_CALLBACK_URL"},
        description="Address under which it reaches this gateway. `/v1/reviews/{id}` is added, or, where the "
        "address has a path already, `/{id}`.",
    )
    signature_secret: SecretStr = Field(
        SecretStr(""),
        json_schema_extra={"seed_name": "BULI2_SIGNATURE_SECRET"},
        description="Shared with it: signs its callbacks. Empty = callbacks are refused.",
    )
