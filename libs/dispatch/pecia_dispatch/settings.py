"""How the ocr service is found and called: a group of settings of every service that calls it."""

from pecia_core.settings import NamedPath
from pecia_identity.settings import SigningSettings
from pydantic import BaseModel, Field, SecretStr

_MIB = 1024 * 1024


class ClientTlsSettings(BaseModel):
    """Transport security towards the ocr service; off while `ca_file` is empty. Changed files count soon."""

    ca_file: NamedPath | None = Field(
        None, description="PEM authorities that sign the ocr service's certificate."
    )
    cert_file: NamedPath | None = Field(
        None, description="PEM certificate chain of the gateway (mutual TLS)."
    )
    key_file: NamedPath | None = Field(None, description="PEM private key of that certificate.")
    server_name: str = Field(
        "", description="Name the certificate must carry; empty = the name in the target."
    )


class OcrSettings(BaseModel):
    """How the ocr service is found and called."""

    target: str = Field(
        "127.0.0.1:50051",
        description="name:port, or several separated by commas. Every address of a name is a pod of its own.",
    )
    timeout_s: float = Field(
        300.0,
        gt=0,
        json_schema_extra={"seed_name": "OCR_INFERENCE_TIMEOUT_S"},
        description="Seconds one page may take, waiting included; a caller's shorter deadline wins.",
    )
    bearer_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the gateway at the ocr service, of a trusted record there, so that its word on "
        "the tenant is believed; empty = the caller's own key is handed on.",
    )
    tls: ClientTlsSettings = Field(default_factory=ClientTlsSettings)
    assertion: SigningSettings = Field(default_factory=SigningSettings)
    resolve_interval_s: float = Field(
        5.0,
        gt=0,
        description="Seconds between looks at the name's addresses and the pods' state: new pods work then.",
    )
    describe_timeout_s: float = Field(2.0, gt=0, description="Seconds a pod has to say what it offers.")
    keepalive_s: float = Field(
        60.0,
        ge=0,
        description="Seconds between pings on a connection with calls, to notice a dead pod; 0 = none.",
    )
    max_message_bytes: int = Field(
        64 * _MIB,
        gt=0,
        description="Bytes of one gRPC message. Above every limit here, so that the limits answer.",
    )
