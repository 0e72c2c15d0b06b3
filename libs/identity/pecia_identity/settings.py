"""Groups of settings of the services that sign, check and record."""

from pecia_core.settings import NamedPath
from pydantic import BaseModel, Field, SecretStr

AUDIENCE = "pecia-ocr"


class SigningSettings(BaseModel):
    """How calls to the ocr service are signed; not at all while `key_file` is empty."""

    key_file: NamedPath | None = Field(
        None,
        description="PEM private Ed25519 key that signs for whom each call is made; read again when it "
        "changes. Empty = calls are not signed.",
    )
    audience: str = Field(
        AUDIENCE, min_length=1, description="Whom the signature is for: the same in the ocr service."
    )


class CheckingSettings(BaseModel):
    """Whose word on the tenant of a call counts."""

    keys_file: NamedPath | None = Field(
        None,
        description="PEM public Ed25519 keys, one or several, of those who sign calls; read again when it "
        "changes. Empty = nothing is checked, and keys in the keys file that are trusted are believed.",
    )
    audience: str = Field(
        AUDIENCE, min_length=1, description="Whom signatures must be for: the same in gateway and workers."
    )
    reload_s: float = Field(1.0, ge=0, description="Seconds between looks at whether the file has changed.")


class AuditSettings(BaseModel):
    """The record of who did what."""

    file: str = Field(
        "",
        description="File to append to, one JSON object a line; `-` = standard output; empty = none is kept.",
    )
    secret: SecretStr = Field(
        SecretStr(""),
        description="Key of the chain of hashes: without it, nobody can write the chain anew. Empty = plain "
        "hashes, which show what was lost or changed by mistake.",
    )
    max_waiting: int = Field(
        10_000,
        ge=1,
        description="Lines waiting for a slow disk. What comes beyond is counted, and the count is recorded: "
        "no request ever waits.",
    )
