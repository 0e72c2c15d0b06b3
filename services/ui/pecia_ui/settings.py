"""Every knob of the page: unit, default, reason. The only file here that reads the environment."""

import ssl
from pathlib import Path
from typing import Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the gateway is, where the page is served, how readings are shown."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore")

    api_base: str = Field(
        "http://127.0.0.1:8000",
        pattern=r"^https?://[^/\s]+",
        validation_alias=AliasChoices("PECIA_API__BASE", "PECIA_API_BASE", "API_BASE"),
        description="Address of the gateway as this process reaches it; with or without /v1.",
    )
    api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("PECIA_API__KEY", "PECIA_API_KEY"),
        description="Key sent for everybody who opens the page and types none; empty = none is sent.",
    )
    api_ca_file: Path | None = Field(
        None,
        validation_alias=AliasChoices("PECIA_API__CA_FILE"),
        description="PEM authorities of an https gateway instead of the well-known ones.",
    )
    api_check_name: bool = Field(
        default=True,
        validation_alias=AliasChoices("PECIA_API__CHECK_NAME"),
        description="The gateway's certificate has to carry the name in PECIA_API__BASE. Off only where "
        "PECIA_API__CA_FILE holds that very certificate, as with `make up`.",
    )
    api_timeout_s: float = Field(
        300.0,
        gt=0,
        validation_alias=AliasChoices("PECIA_API__TIMEOUT_S", "PECIA_API_TIMEOUT_S"),
        description="Seconds one picture may take: as long as the service itself lets a page run.",
    )
    api_connect_timeout_s: float = Field(
        5.0,
        gt=0,
        validation_alias=AliasChoices("PECIA_API__CONNECT_TIMEOUT_S"),
        description="Seconds until an address that does not answer is called unreachable.",
    )
    host: str = Field(
        "0.0.0.0",  # noqa: S104 - the page is what is published
        validation_alias=AliasChoices("PECIA_UI__HOST"),
        description="Address to bind. All of them: the page is what is published.",
    )
    port: int = Field(
        8501, ge=1, le=65535, validation_alias=AliasChoices("PECIA_UI__PORT"), description="TCP port."
    )
    max_upload_mb: float = Field(
        10.0,
        gt=0,
        validation_alias=AliasChoices("PECIA_UI__MAX_UPLOAD_MB", "MAX_UPLOAD_MB"),
        description="MiB of one picture, the gateway's own limit; what is larger becomes a job at once.",
    )
    max_document_mb: float = Field(
        256.0,
        gt=0,
        validation_alias=AliasChoices("PECIA_UI__MAX_DOCUMENT_MB"),
        description="MiB of one document for a job; the gateway's own limit. It passes through memory here.",
    )
    confidence_threshold: float = Field(
        0.8,
        ge=0,
        le=1,
        validation_alias=AliasChoices("PECIA_UI__CONFIDENCE_THRESHOLD"),
        description="Confidence below which a line is marked for a second look; people can move it.",
    )
    log_level: str = Field(
        "INFO",
        validation_alias=AliasChoices("PECIA_TELEMETRY__LOG_LEVEL"),
        description="DEBUG, INFO, WARNING or ERROR.",
    )

    @field_validator("api_ca_file", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        """An empty name would be the folder this process stands in."""
        if value == "":
            raise ValueError("it is set and names no path; name one, or take the variable away")
        return value

    @model_validator(mode="after")
    def _knows_whom_it_asks(self) -> Self:
        if not self.api_check_name and self.api_ca_file is None:
            raise ValueError("PECIA_API__CHECK_NAME=false needs the certificate itself in PECIA_API__CA_FILE")
        return self

    def trust(self) -> ssl.SSLContext | None:
        """Whom an https gateway has to be; None = one with a certificate of a well-known authority."""
        if self.api_ca_file is None:
            return None
        context = ssl.create_default_context(cafile=self.api_ca_file)
        context.check_hostname = self.api_check_name
        if not self.api_check_name:  # whoever has issued that one need not be known
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    @field_validator("api_base")
    @classmethod
    def _without_version(cls, base: str) -> str:
        return base.rstrip("/").removesuffix("/v1").rstrip("/")
