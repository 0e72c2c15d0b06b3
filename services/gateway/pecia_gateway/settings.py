"""Every knob of the gateway: its unit, its default and the reason for it. The only reader of the environment.

Names are PECIA_<GROUP>__<FIELD>. A field's `seed_name` is the older name that works as well.
"""

import logging

from pecia_core.settings import CommaList, NamedPath, SeedNames
from pecia_dispatch.settings import OcrSettings
from pecia_fetch.settings import FetchSettings
from pecia_identity.settings import AuditSettings
from pecia_jobs import settings as of_jobs
from pecia_wall.settings import WallSettings
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

_MIB = 1024 * 1024
_log = logging.getLogger(__name__)


class HttpSettings(BaseModel):
    """Where and how the gateway is reached."""

    host: str = Field(
        "0.0.0.0",  # noqa: S104 - the gateway is what is published
        description="Address to bind. All of them: the gateway is what is published.",
    )
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 = any free one, which the log names.")
    cert_file: NamedPath | None = Field(
        None,
        description="PEM certificate chain, where the gateway itself is to speak HTTPS; read again when it "
        "changes. Empty = HTTP, for a load balancer before it.",
    )
    key_file: NamedPath | None = Field(None, description="PEM private key of that certificate.")
    cors_origins: CommaList = Field(
        ("*",),
        json_schema_extra={"seed_name": "CORS_ORIGINS"},
        description="Comma-separated origins whose pages may call; * = all, which suits keys in headers.",
    )
    keep_alive_s: float = Field(
        75.0, gt=0, description="Seconds an idle connection stays open: longer than a load balancer's 60."
    )
    drain_s: float = Field(
        315.0,
        gt=0,
        description="Seconds running requests may take after SIGTERM: the longest page and 15 more.",
    )
    sse_keep_alive_s: float = Field(
        15.0,
        gt=0,
        description="Seconds of silence after which a stream says `: keep-alive`; load balancers cut at 60.",
    )


class LimitSettings(BaseModel):
    """What is refused before any work."""

    max_upload_mb: float = Field(
        10.0,
        gt=0,
        json_schema_extra={"seed_name": "MAX_UPLOAD_MB"},
        description="MiB of one picture or inline PDF. Larger documents belong in jobs.",
    )
    max_body_mb: float = Field(
        64.0,
        gt=0,
        description="MiB of one request body, counted while it arrives. Base64 makes a picture a third "
        "larger, and a request may hold several.",
    )
    max_buffered_mb: float = Field(
        512.0,
        gt=0,
        description="MiB of all request bodies in the house together, so that a burst cannot fill memory.",
    )
    tenant_buffered_mb: float = Field(
        384.0,
        gt=0,
        description="The same of one tenant: a quarter of it is left to others, whatever one sends.",
    )
    max_request_mb: float = Field(
        64.0,
        gt=0,
        description="MiB of all files of one request together, those behind URLs included.",
    )
    max_request_pixels: int = Field(
        400_000_000,
        gt=0,
        description="Pixels of all pictures of one request together, by their headers: eight pages of a "
        "large scanner fit, eight of the largest pictures do not.",
    )
    max_request_pages: int = Field(
        32, ge=1, description="Pages of all files of one request together; more belong in jobs."
    )
    max_fetch_s: float = Field(
        30.0,
        gt=0,
        description="Seconds all downloads of one request may take together; each has its own bound beside.",
    )
    max_images: int = Field(8, ge=1, description="Pictures in one request; more belong in jobs.")
    max_pdf_pages: int = Field(
        8, ge=1, description="Pages of a PDF or TIFF read within a request; longer ones belong in jobs."
    )
    max_parts: int = Field(32, ge=1, description="Parts of one multipart body: files and fields together.")

    @property
    def max_upload_bytes(self) -> int:
        """Bytes of one picture or inline PDF."""
        return int(self.max_upload_mb * _MIB)

    @property
    def max_body_bytes(self) -> int:
        """Bytes of one request body."""
        return int(self.max_body_mb * _MIB)

    @property
    def max_request_bytes(self) -> int:
        """Bytes of all files of one request."""
        return int(self.max_request_mb * _MIB)

    @property
    def tenant_buffered_bytes(self) -> int:
        """Bytes of all request bodies of one tenant."""
        return int(self.tenant_buffered_mb * _MIB)

    @property
    def max_buffered_bytes(self) -> int:
        """Bytes of all request bodies together."""
        return int(self.max_buffered_mb * _MIB)


class AuthSettings(BaseModel):
    """Who may call, and how often."""

    keys_file: NamedPath | None = Field(
        None, description="TOML file of hashed API keys (see `pecia keys`); empty = everybody may call."
    )
    reload_s: float = Field(
        1.0, ge=0, description="Seconds between looks at whether the keys file has changed."
    )
    requests_per_minute: int = Field(
        0, ge=0, description="Requests a minute of callers without keys, all together; 0 = no limit."
    )
    max_in_flight: int = Field(
        0, ge=0, description="Requests at once of callers without keys, all together; 0 = no limit."
    )


class PdfSettings(BaseModel):
    """Inline PDFs."""

    dpi: int = Field(
        200, ge=72, le=600, description="Dots per inch pages are drawn at: body text is 25 pixels high."
    )
    workers: int = Field(1, ge=1, description="Processes that draw pages.")


class JobSettings(of_jobs.JobSettings):
    """Long documents, read while nobody waits."""

    enabled: bool = Field(
        default=True, description="Take jobs in. Off = their addresses answer 404, and no database is used."
    )
    max_upload_mb: float = Field(256.0, gt=0, description="MiB of one document.")
    max_pages: int = Field(10_000, ge=1, description="Pages of one document.")
    uploads: int = Field(16, ge=1, description="Documents being sent at once, all callers together.")
    tenant_uploads: int = Field(4, ge=1, description="The same of one tenant.")
    upload_folder: NamedPath | None = Field(
        None, description="Folder for documents while they arrive; empty = the system's for temporary files."
    )
    streams: int = Field(512, ge=1, description="Callers who follow a job's events, all together.")
    tenant_streams: int = Field(32, ge=1, description="The same of one tenant.")
    wait_s: float = Field(
        300.0,
        gt=0,
        description="Seconds the old `/ocr/pdf` waits for its job, which then goes on without it.",
    )

    @property
    def max_upload_bytes(self) -> int:
        """Bytes of one document."""
        return int(self.max_upload_mb * _MIB)


class PictureSettings(BaseModel):
    """Pictures of jobs' pages, for people who look at them beside their text."""

    dpi: int = Field(
        110, ge=36, le=200, description="Dots per inch where a request says none: a page fills a screen."
    )
    max_pixels: int = Field(
        4_000_000, ge=10_000, description="Pixels of a drawn page at most; larger ones get fewer dots."
    )
    max_sent_pixels: int = Field(
        100_000_000, ge=10_000, description="Pixels of a picture that is shown as it was sent."
    )
    timeout_s: float = Field(10.0, gt=0, description="Seconds one page may take to draw.")
    workers: int = Field(1, ge=1, description="Processes that draw for people who look.")
    at_once: int = Field(4, ge=1, description="Pictures under way at once, all callers together.")
    tenant_at_once: int = Field(2, ge=1, description="The same of one tenant.")
    documents_mb: float = Field(
        512.0, gt=0, description="MiB of documents kept on disk between two looks at their pages."
    )
    whole_mb: float = Field(
        64.0, gt=0, description="MiB of a TIFF or picture that is shown: its pages are taken in memory."
    )
    idle_s: float = Field(60.0, gt=0, description="Seconds a document is kept after the last look at it.")

    @property
    def documents_bytes(self) -> int:
        """Bytes of documents kept."""
        return int(self.documents_mb * _MIB)

    @property
    def whole_bytes(self) -> int:
        """Bytes of a TIFF or picture."""
        return int(self.whole_mb * _MIB)


class ModelSettings(BaseModel):
    """Which model answers whom."""

    default_model: str = Field(
        "auto", description="Model of requests that name none: the best engine that is ready."
    )
    gpu_autofallback: bool = Field(
        default=True,
        json_schema_extra={"seed_name": "OCR_GPU_AUTOFALLBACK"},
        description="List deepseek-ocr although a CPU engine answers it, flagged; as in the ocr service.",
    )


class FeatureSettings(BaseModel):
    """Switches of the former system; their features are not part of pecia."""

    enable_stt: bool = Field(
        default=False,
        json_schema_extra={"seed_name": "AI_ENABLE_STT"},
        description="Speech to text; only warns.",
    )
    enable_tts: bool = Field(
        default=False,
        json_schema_extra={"seed_name": "AI_ENABLE_TTS"},
        description="Text to speech; only warns.",
    )


class TelemetrySettings(BaseModel):
    """Logs and metrics."""

    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")


class Settings(BaseSettings):
    """The gateway."""

    model_config = SettingsConfigDict(env_prefix="PECIA_", env_nested_delimiter="__", extra="ignore")

    http: HttpSettings = Field(default_factory=HttpSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    ocr: OcrSettings = Field(default_factory=OcrSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    fetch: FetchSettings = Field(default_factory=FetchSettings)
    pdf: PdfSettings = Field(default_factory=PdfSettings)
    jobs: JobSettings = Field(default_factory=JobSettings)
    pictures: PictureSettings = Field(default_factory=PictureSettings)
    database: of_jobs.DatabaseSettings = Field(default_factory=of_jobs.DatabaseSettings)
    blobs: of_jobs.BlobSettings = Field(default_factory=of_jobs.BlobSettings)
    webhooks: of_jobs.WebhookSettings = Field(default_factory=of_jobs.WebhookSettings)
    review: of_jobs.ReviewSettings = Field(default_factory=of_jobs.ReviewSettings)
    models: ModelSettings = Field(default_factory=ModelSettings)
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    wall: WallSettings = Field(default_factory=WallSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over PECIA_ names, which win over the older names."""
        return init_settings, env_settings, SeedNames(settings_cls)

    def log_unused_features(self) -> None:
        """Warn about switches that are on and do nothing."""
        for name, seed_name in (("enable_stt", "AI_ENABLE_STT"), ("enable_tts", "AI_ENABLE_TTS")):
            if getattr(self.features, name):
                _log.warning("%s is on, but pecia has no such feature: it only reads documents.", seed_name)
