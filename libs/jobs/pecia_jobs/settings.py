"""What jobs need of the world: groups of settings that the gateway and the worker share."""

import os
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr

_STATE = "${XDG_STATE_HOME:-~/.local/state}/pecia/jobs"


def state_folder() -> Path:
    """Where jobs live on one machine when nothing else is said."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "pecia" / "jobs"


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
