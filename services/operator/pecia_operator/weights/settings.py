"""Every knob of the program that fetches and checks weights. The operator sets them; people set OCRModels."""

from pecia_core.settings import NamedPath
from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class WeightsSettings(BaseModel):
    """One checkpoint: where it lies, what it has to be, and where it goes."""

    source: str = Field(
        "",
        description="Where the files lie: s3://bucket/folder, an https:// address up to the files' names, or "
        "a folder of this machine. Set by the operator.",
    )
    region: str = Field("us-east-1", description="Region of the bucket.")
    endpoint: str = Field("", description="Address of a store that is not AWS.")
    token: SecretStr | None = Field(None, description="Bearer token for an https:// source.")
    folder: NamedPath | None = Field(
        None,
        description="Folder the files go to; empty = they are read, compared and kept nowhere.",
    )
    manifest_file: NamedPath | None = Field(
        None,
        description="Manifest, lines as sha256sum writes them; empty = sha256sums of the source.",
    )
    manifest_sha256: str = Field(
        "", description="What the manifest itself has to be; empty = it is believed."
    )
    signing_key_file: NamedPath | None = Field(
        None,
        description="PEM public key (EC) of whoever may sign models: the source then needs a `model.sig` of "
        "OpenSSF Model Signing by that key. Empty = the manifest is believed.",
    )
    files_at_once: int = Field(4, ge=1, description="Files read side by side. Four fill most lines.")
    attempts: int = Field(
        5,
        ge=1,
        description="Times one file is tried when the line breaks; what has come is not asked for again.",
    )
    wait_s: float = Field(1.0, ge=0, description="Seconds between two such tries, doubled each time.")


class Settings(BaseSettings):
    """The program. Environment names are PECIA_WEIGHTS__<FIELD>; credentials of S3 are AWS's own names."""

    model_config = SettingsConfigDict(env_prefix="PECIA_", env_nested_delimiter="__", extra="ignore")

    weights: WeightsSettings = Field(default_factory=WeightsSettings)
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
