"""What jobs need of the world: groups of settings that the gateway and the worker share."""

import os
from pathlib import Path

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
    max_attempts: int = Field(5, ge=1, description="Tries of a page before it counts as failed.")
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
