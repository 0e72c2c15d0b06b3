"""What the `pecia` command reads from the environment. The only file here that does."""

from pecia_core.settings import NamedPath
from pecia_identity.settings import AuditSettings
from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClientSettings(BaseSettings):
    """Where the gateway is and who is calling; a flag of the command wins over each."""

    model_config = SettingsConfigDict(env_prefix="PECIA_", populate_by_name=True, extra="ignore")

    api_base: str = Field(
        "http://127.0.0.1:8000",
        validation_alias=AliasChoices("PECIA_API_BASE", "PECIA_API__BASE", "API_BASE"),
        description="Address of the gateway, without /v1: what `pecia up` starts on this machine.",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("PECIA_API_KEY", "PECIA_API__KEY"),
        description="Key sent as a bearer token; only needed where the gateway asks for keys.",
    )
    keys_file: NamedPath | None = Field(
        None,
        validation_alias=AliasChoices("PECIA_AUTH__KEYS_FILE"),
        description="The services' keys file, for `pecia keys`.",
    )
    audit_file: str = Field(
        "",
        validation_alias=AliasChoices("PECIA_AUDIT__FILE"),
        description="The services' audit log, where `pecia keys` puts down what it did.",
    )
    audit_secret: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("PECIA_AUDIT__SECRET"),
        description="Key of its chain of hashes, as in the services.",
    )
    api_timeout_s: float = Field(
        300.0,
        gt=0,
        validation_alias=AliasChoices("PECIA_API_TIMEOUT_S", "PECIA_API__TIMEOUT_S"),
        description="Seconds one file may take: as long as the service itself lets a page run.",
    )

    @property
    def audit(self) -> AuditSettings:
        """The log, in the services' own words."""
        return AuditSettings(file=self.audit_file, secret=self.audit_secret)
