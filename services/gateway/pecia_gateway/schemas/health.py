"""What the probes and the people who run this ask."""

from typing import Literal

from pydantic import BaseModel, Field


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether any engine can answer."""

    ready: bool
    models_loaded: bool
    reason: str = Field(description="Why not, and what to do; empty when ready.")


class EngineHealth(BaseModel):
    """One engine, over all processes that offer it."""

    name: str
    state: str = Field(description="loading, ready, draining, failed or unavailable.")
    reason: str = Field(description="Why it is not ready, and what to do.")
    models: list[str] = Field(description="Names a caller may use for it.")
    revision: str = Field(description="Weights and version.")
    tasks: list[str]
    sizes: list[str]
    languages: list[str]
    slots: int = Field(description="Pages it can read at once.")
    pages_together: int = Field(1, description="Pages it can read as one document; see `pages_together`.")


class WallHealth(BaseModel):
    """What stands around the processes of a service that open strangers' files."""

    service: Literal["gateway", "ocr"] = Field(
        description="gateway draws PDFs, ocr decodes pictures: of its pods, the weakest."
    )
    landlock: int = Field(description="Version of the kernel's rules for files; 0 = none.")
    seccomp: bool = Field(description="Whether system calls are filtered.")
    no_new_privs: bool = Field(description="Whether no program can gain rights.")
    missing: list[str] = Field(description="What the kernel does not hold; empty = nothing is missing.")
    memory_mb: int = Field(description="MiB of memory that one document may use up.")
    cpu_seconds: float = Field(description="Time of the processor that one picture or page may use up.")


class Health(BaseModel):
    """Everything at one glance; always 200."""

    status: Literal["healthy", "loading", "degraded"]
    reason: str = Field(description="Why no engine can answer, and what to do; empty when one can.")
    model_loaded: bool
    models_loaded: bool
    available_endpoints: list[str]
    memory_mb: int = Field(description="Resident memory of the gateway.")
    uptime_seconds: int
    active_jobs: int = Field(description="Jobs being read now; 0 where there are none to be had.")
    queued_jobs: int = Field(description="Jobs waiting. Pages are counted by /v1/capacity.")
    engines: list[EngineHealth]
    walls: list[WallHealth] = Field(description="Of those services that have looked.")


class Limits(BaseModel):
    """What the ocr service takes."""

    max_picture_bytes: int
    max_picture_pixels: int


class Capacity(BaseModel):
    """How much room there is, for clients that pace themselves."""

    pods: int = Field(description="Processes that answer.")
    free_slots: int = Field(description="Pages that could start at once.")
    running: int = Field(description="Pages being read now.")
    queue_length: int = Field(description="Pages waiting.")
    pages_per_second: float = Field(description="Measured over the last minutes; 0 before the first page.")
    estimated_wait_seconds: float | None = Field(
        description="For a page that comes now; null = not known yet."
    )
    limits: Limits
    engines: list[EngineHealth]
