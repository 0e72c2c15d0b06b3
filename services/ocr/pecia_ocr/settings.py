"""Every knob of the ocr service: unit, default, reason. The only reader of the environment."""

import os

from pecia_core.settings import CommaList, NamedPath
from pecia_identity.settings import AuditSettings, CheckingSettings
from pecia_wall.settings import WallSettings
from pydantic import AliasChoices, BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from pecia_ocr.engine_settings import DeepseekSettings, EngineSettings

_MIB = 1024 * 1024


class GrpcSettings(BaseModel):
    """Where and how the service is reached."""

    host: str = Field("127.0.0.1", description="Address to bind. 0.0.0.0 in a container.")
    port: int = Field(50051, ge=0, le=65535, description="TCP port; 0 = any free one, which the log names.")
    max_message_bytes: int = Field(
        64 * _MIB,
        description="Bytes of one gRPC message. Above every picture limit: the limits answer, not gRPC.",
    )
    max_connection_age_s: int = Field(
        30,
        description="Seconds after which a connection is renewed: callers behind a name find new pods.",
    )
    min_ping_interval_s: int = Field(
        10,
        gt=0,
        description="Seconds between a caller's keep-alive pings during a silent call; who pings more often "
        "is hung up on. gRPC's own default is 300, and pages take long.",
    )
    reflection: bool = Field(
        default=False,
        description="Serve gRPC reflection, so that any client can look around: for development.",
    )
    health_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Second TCP port, never with TLS, for grpc.health.v1 alone: probes of Kubernetes know "
        "neither TLS nor keys. 0 = none.",
    )


class TlsSettings(BaseModel):
    """Transport security; off while `cert_file` is empty."""

    cert_file: NamedPath | None = Field(None, description="PEM certificate chain of this service.")
    key_file: NamedPath | None = Field(None, description="PEM private key of the certificate.")
    client_ca_file: NamedPath | None = Field(
        None, description="PEM authorities whose client certificates are demanded (mutual TLS)."
    )
    client_names: CommaList = Field(
        (),
        description="Comma-separated names, one of which a client certificate has to carry (DNS name or URI, "
        "as it stands there); empty = whoever the authorities have signed may call.",
    )
    reload_s: float = Field(
        1.0, ge=0, description="Seconds between looks at whether these files have changed; no restart."
    )


class AuthSettings(BaseModel):
    """Who may call."""

    keys_file: NamedPath | None = Field(
        None, description="TOML file of hashed API keys (see `pecia keys`); empty = everybody may call."
    )
    reload_s: float = Field(
        1.0, ge=0, description="Seconds between looks at whether the keys file has changed."
    )


class LimitSettings(BaseModel):
    """What is refused before any work."""

    max_picture_bytes: int = Field(10 * _MIB, gt=0, description="Bytes of one encoded picture.")
    max_picture_pixels: int = Field(
        100_000_000,
        gt=0,
        description="Pixels of one picture, read from its header: a decoded pixel is 3 bytes.",
    )
    max_queue_length: int = Field(
        64, ge=0, description="Pages waiting per engine. More would only wait longer than callers do."
    )
    max_waiting_bytes: int = Field(
        512 * _MIB,
        gt=0,
        description="Bytes of all admitted pictures together, so that a burst cannot fill memory.",
    )
    tenant_waiting_bytes: int = Field(
        384 * _MIB,
        gt=0,
        description="The same of one tenant: a quarter of it is left to others, whatever one sends.",
    )
    decode_memory_mb: int = Field(
        3072,
        ge=256,
        description="MiB of address space of the process that decodes one picture; what needs more is too "
        "large. A pixel can need 20 bytes on its way, so that 100 million fit.",
    )
    decode_s: int = Field(
        30, ge=1, description="Seconds one picture may take to decode, on the clock and of the processor."
    )


class CacheSettings(BaseModel):
    """Results that answer the same page asked for again by the same tenant."""

    enabled: bool = Field(
        default=True,
        description="Keep results, and read a page once for callers who ask for it at the same moment. "
        "The same bytes, engine and options always give the same text.",
    )
    max_bytes: int = Field(
        64 * _MIB, gt=0, description="Bytes of results in this process: some 10,000 receipts."
    )
    ttl_s: float = Field(
        3600.0,
        gt=0,
        description="Seconds a result is kept, here and in Redis. Long enough for retries and for a document "
        "that goes round an office, short enough that no text stays for long.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="redis://, rediss:// or unix:// address, password included, of the Redis where all pods "
        "find each other's results; empty = each keeps its own. While Redis does not answer, pages are read.",
    )


class BlobSettings(BaseModel):
    """Where blob references point."""

    root: NamedPath | None = Field(
        None, description="Folder of the blob store; empty = blob references are refused."
    )


class TelemetrySettings(BaseModel):
    """Logs and metrics."""

    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    metrics_port: int = Field(0, ge=0, le=65535, description="HTTP port for /metrics; 0 = none.")


class Settings(BaseSettings):
    """The ocr service. Environment names are PECIA_<GROUP>__<FIELD>."""

    model_config = SettingsConfigDict(
        env_prefix="PECIA_", env_nested_delimiter="__", extra="ignore", populate_by_name=True
    )

    grpc: GrpcSettings = Field(default_factory=GrpcSettings)
    tls: TlsSettings = Field(default_factory=TlsSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    assertion: CheckingSettings = Field(default_factory=CheckingSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    engines: EngineSettings = Field(default_factory=EngineSettings)
    deepseek: DeepseekSettings = Field(default_factory=DeepseekSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    blobs: BlobSettings = Field(default_factory=BlobSettings)
    wall: WallSettings = Field(default_factory=WallSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    inference_timeout_s: float = Field(
        300.0,
        gt=0,
        validation_alias=AliasChoices("OCR_INFERENCE_TIMEOUT_S", "PECIA_INFERENCE_TIMEOUT_S"),
        description="Seconds one page may take, waiting included; a caller's shorter deadline wins.",
    )
    model_path: NamedPath | None = Field(
        None,
        validation_alias=AliasChoices("MODEL_PATH", "PECIA_MODEL_PATH"),
        description="Folder with a checkpoint of the DeepSeek-OCR family (config.json, tokenizer.json, "
        "*.safetensors); empty = no DeepSeek engine. Nothing is fetched.",
    )
    gpu_autofallback: bool = Field(
        default=True,
        validation_alias=AliasChoices("OCR_GPU_AUTOFALLBACK", "PECIA_GPU_AUTOFALLBACK"),
        description="Answer deepseek-ocr with a CPU engine, flagged, while no DeepSeek engine is ready.",
    )
    gpu_enabled: bool = Field(
        default=True,
        validation_alias=AliasChoices("OCR_GPU_ENABLED", "PECIA_GPU_ENABLED"),
        description="Use a GPU engine where there is one.",
    )


def worker_environment() -> dict[str, str]:
    """All that a worker process sees of the environment: no secrets reach the code that decodes pictures."""
    kept = ("PATH", "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",  # tesseract's own threads fight over the cores the pool hands out
    }


def gpu_environment() -> dict[str, str]:
    """What a process that computes on a GPU sees beside that: which GPU, and how its memory is kept."""
    kept = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "CUDA_HOME")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HF_HUB_OFFLINE": "1",  # a model is what its folder holds
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "TOKENIZERS_PARALLELISM": "false",
    }
