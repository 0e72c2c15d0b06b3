"""The group of settings of every service that opens strangers' files."""

from pydantic import BaseModel, Field


class WallSettings(BaseModel):
    """Walls around the processes that decode pictures and draw PDFs."""

    required: bool = Field(
        default=False,
        description="Refuse to start where the kernel does not hold all walls (Landlock, seccomp). Off = "
        "what is missing is said in a warning: a laptop or a sandboxed runtime can still try pecia.",
    )
