"""Every knob of the supervisor: unit, default, reason. The only file here that reads the environment.

The ports carry the names the services themselves use, so that one name means one port everywhere.
"""

import os
from pathlib import Path

from pecia_core.settings import NamedPath
from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _state_folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "pecia"


class Settings(BaseSettings):
    """One machine. A flag of the command wins over each."""

    model_config = SettingsConfigDict(env_prefix="PECIA_STANDALONE__", populate_by_name=True, extra="ignore")

    host: str = Field(
        "127.0.0.1",
        description="Address the gateway and the page bind. This machine only, until you open it to others.",
    )
    http_port: int = Field(
        8000,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("PECIA_HTTP__PORT"),
        description="TCP port of the gateway.",
    )
    ui_port: int = Field(
        8501,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("PECIA_UI__PORT"),
        description="TCP port of the page.",
    )
    grpc_port: int = Field(
        50051,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("PECIA_GRPC__PORT"),
        description="TCP port of the ocr service; it is bound to 127.0.0.1 always.",
    )
    worker_port: int = Field(
        8080,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("PECIA_HEALTH__PORT"),
        description="TCP port on which the worker says how it is; it is bound to 127.0.0.1 always.",
    )
    ui: bool = Field(default=True, description="Also start the page.")
    jobs: NamedPath = Field(
        default_factory=lambda: _state_folder() / "jobs",
        json_schema_extra={"default_text": "`~/.local/state/pecia/jobs`"},
        description="Folder of jobs: their database (SQLite: a disk of this machine) and their documents.",
    )
    database_url: str = Field(
        "",
        validation_alias=AliasChoices("PECIA_DATABASE__URL", "DATABASE_URL"),
        description="Another database of jobs; empty = a file in that folder.",
    )
    blobs_url: str = Field(
        "",
        validation_alias=AliasChoices("PECIA_BLOBS__URL"),
        description="Another place of documents and results; empty = a folder in that folder, unless "
        "CF_R2_BUCKET_NAME names a bucket.",
    )
    webhook_keys: NamedPath | None = Field(
        None,
        validation_alias=AliasChoices("PECIA_WEBHOOKS__KEYS_FILE"),
        description="Another file of keys that sign webhooks; empty = one in that folder.",
    )
    bucket: str = Field(
        "",
        validation_alias=AliasChoices("PECIA_BLOBS__BUCKET", "CF_R2_BUCKET_NAME"),
        description="Bucket of documents and results; read here only to know whether a folder is needed.",
    )
    secure: bool = Field(
        default=False,
        description="Mutual TLS between the services, and calls signed for their tenants.",
    )
    identity: NamedPath = Field(
        default_factory=lambda: _state_folder() / "identity",
        json_schema_extra={"default_text": "`~/.local/state/pecia/identity`"},
        description="Folder of the certificates and keys for that, which are made there and renewed in time.",
    )
    certificate_days: float = Field(
        1.0, gt=0, description="Days a certificate lasts; it is renewed when two thirds are over."
    )
    logs: NamedPath = Field(
        default_factory=lambda: _state_folder() / "logs",
        json_schema_extra={"default_text": "`~/.local/state/pecia/logs`"},
        description="Folder of one log file per service. Each is turned over at 10 MiB; one old one is kept.",
    )
    start_timeout_s: float = Field(
        900.0, gt=0, description="Seconds until the services must be ready; a first start may fetch weights."
    )
    stop_timeout_s: float = Field(
        30.0,
        gt=0,
        description="Seconds each service has to finish what runs when told to stop; then it is killed.",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("PECIA_API_KEY", "PECIA_API__KEY"),
        description="Key for the self-check, where PECIA_AUTH__KEYS_FILE turns keys on.",
    )
    cert_file: NamedPath | None = Field(
        None,
        validation_alias=AliasChoices("PECIA_HTTP__CERT_FILE"),
        description="The gateway's certificate, where it speaks HTTPS; read here to know it again.",
    )
    keys_file: NamedPath | None = Field(
        None,
        validation_alias=AliasChoices("PECIA_AUTH__KEYS_FILE"),
        description="The services' keys file; read here only to know whether the self-check needs a key.",
    )


def inherited_environment() -> dict[str, str]:
    """What every child gets: this process's environment, so that all settings of the services work."""
    return dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
