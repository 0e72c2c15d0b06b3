"""Every knob of the worker: its unit, its default and the reason for it. The only reader of the environment.

Names are PECIA_<GROUP>__<FIELD>. A field's `seed_name` is the older name that works as well.
"""

from pecia_core.pdf import RenderLimits
from pecia_core.settings import NamedPath, SeedNames
from pecia_dispatch.settings import OcrSettings
from pecia_jobs.settings import (
    BlobSettings,
    DatabaseSettings,
    JobSettings,
    ReviewSettings,
    WebhookSettings,
)
from pecia_wall.settings import WallSettings
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pecia_worker.intake_settings import (
    DocumentsSettings,
    IntakeGroups,
    IntakeSettings,
    OriginalsSettings,
    RedisSettings,
)

_MIB = 1024 * 1024


class WorkerSettings(BaseModel):
    """How pages are taken and read."""

    name: str = Field(
        "", description="This worker's name in the database, for people; empty = the machine's and a number."
    )
    max_concurrency: int = Field(
        0,
        ge=0,
        json_schema_extra={"seed_name": "MAX_CONCURRENCY"},
        description="Pages in flight in this worker; 0 = what the ocr service can read at once and half as "
        "many, so that pages are drawn and stored while others are read.",
    )
    busy_s: float = Field(0.05, gt=0, description="Seconds between two looks for pages while there are some.")
    idle_s: float = Field(
        1.0, gt=0, description="Seconds between looks when there are none; on SQLite a quarter, it is near."
    )
    watch_s: float = Field(
        0.5, gt=0, description="Seconds between looks at whether pages are still wanted: a cancel is felt."
    )
    patience_s: float = Field(
        21_600.0,
        gt=0,
        description="Seconds a page waits in this worker for the ocr service or the blob store to be back, "
        "before that counts as an attempt: an outage of a night costs no page.",
    )
    loading_s: float = Field(
        10.0,
        ge=0,
        description="Seconds a page waits in this worker for a model that is being loaded, before it makes "
        "room for pages of others and is taken again later. No attempt counts.",
    )
    drain_s: float = Field(
        315.0,
        gt=0,
        description="Seconds pages may take after SIGTERM: the longest page and 15 more. Then they are given "
        "back to other workers.",
    )
    documents_mb: float = Field(
        1024.0,
        gt=0,
        description="MiB of documents kept on this machine's disk, so that each is fetched once, not once a "
        "page. Those being read stay in any case.",
    )
    documents_idle_s: float = Field(
        900.0,
        gt=0,
        description="Seconds a document stays on this machine's disk after its last page: it may have been "
        "deleted meanwhile.",
    )
    folder: NamedPath | None = Field(
        None, description="Folder of temporary files; empty = the system's. On disk, not in memory."
    )

    @property
    def documents_bytes(self) -> int:
        """Bytes of documents kept."""
        return int(self.documents_mb * _MIB)


class HousekeepingSettings(BaseModel):
    """What every worker does now and then for all of them."""

    sweep_s: float = Field(
        5.0,
        gt=0,
        description="Seconds between looks for lapsed leases, retries and jobs whose time has come; at most "
        "a third of a lease.",
    )
    purge_s: float = Field(
        60.0, gt=0, description="Seconds between looks at whether old jobs have to make room."
    )
    orphans_s: float = Field(
        21_600.0,
        gt=0,
        description="Seconds between searches of the blob store for what no job names. It lists everything.",
    )
    orphan_age_s: float = Field(
        86_400.0,
        gt=0,
        description="Seconds after which such a blob is deleted: longer than an upload takes to become one.",
    )


class RenderSettings(BaseModel):
    """The processes that open PDFs."""

    workers: int = Field(1, ge=1, description="Processes, which is also the number of pages drawn at once.")
    page_timeout_s: float = Field(
        30.0, gt=0, description="Seconds one page may take to draw; then it has failed, and only it."
    )
    memory_mb: int = Field(
        1024, ge=256, description="MiB of address space of a process; a page that needs more has failed."
    )
    max_pixels: int = Field(
        25_000_000,
        ge=1_000_000,
        description="Pixels of a drawn page; larger ones are drawn with fewer dots per inch.",
    )

    def limits(self, *, wall_required: bool = False) -> RenderLimits:
        """In the renderer's words."""
        return RenderLimits(
            page_timeout_s=self.page_timeout_s,
            memory_bytes=self.memory_mb * _MIB,
            max_pixels=self.max_pixels,
            wall_required=wall_required,
        )


class HealthSettings(BaseModel):
    """Where probes ask."""

    host: str = Field(
        "0.0.0.0",  # noqa: S104 - probes come from outside
        description="Address to bind. All of them: probes come from the node.",
    )
    port: int = Field(8080, ge=0, le=65535, description="TCP port; 0 = any free one, which the log names.")


class TelemetrySettings(BaseModel):
    """Logs and metrics."""

    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")


class Settings(BaseSettings):
    """The worker."""

    model_config = SettingsConfigDict(env_prefix="PECIA_", env_nested_delimiter="__", extra="ignore")

    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    housekeeping: HousekeepingSettings = Field(default_factory=HousekeepingSettings)
    render: RenderSettings = Field(default_factory=RenderSettings)
    ocr: OcrSettings = Field(default_factory=OcrSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    blobs: BlobSettings = Field(default_factory=BlobSettings)
    jobs: JobSettings = Field(default_factory=JobSettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    review: ReviewSettings = Field(default_factory=ReviewSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    originals: OriginalsSettings = Field(default_factory=OriginalsSettings)
    documents: DocumentsSettings = Field(default_factory=DocumentsSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    wall: WallSettings = Field(default_factory=WallSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)

    def queue(self) -> IntakeGroups:
        """Of the queue of another backend."""
        return IntakeGroups(
            redis=self.redis, intake=self.intake, originals=self.originals, documents=self.documents
        )

    @property
    def has_queue(self) -> bool:
        """Whether ids are taken from it."""
        return bool(self.redis.url) and self.intake.enabled

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
