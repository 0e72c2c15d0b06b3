"""A file as a caller sent it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes and what their sender called them: `media_type` is a claim, not a finding."""

    data: bytes
    media_type: str
    filename: str = ""
