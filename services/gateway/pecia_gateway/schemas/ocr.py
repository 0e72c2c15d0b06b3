"""What the multipart routes answer: the lines of a picture, in the words of the first receipt API."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from pecia_gateway.schemas.completions import OcrNotice, OcrTimings
from pecia_gateway.schemas.problem import Problem


class OcrForm(BaseModel):
    """The fields of the form. `file` once, or `files` several times."""

    file: bytes | None = Field(None, description="A JPEG, PNG, WEBP or BMP, or a short PDF or TIFF.")
    files: list[bytes] | None = Field(None, description="Several files, each with its own outcome.")
    model: str | None = Field(None, description="As in /v1/models; when absent a CPU engine.")
    task_type: str | None = Field(None, description="`lines` when absent.")
    languages: str | None = Field(None, description="ISO 639 codes, joined by commas.", examples=["id,en"])
    model_size: str | None = None
    ref_text: str | None = Field(None, description="What to look for; `locate` needs it.")
    annotate: bool | None = Field(
        None, description="Also answer with a picture of each page, what was found drawn on it."
    )
    figures: bool | None = Field(None, description="Also answer with the figures of each page, cut out.")


class OcrLine(BaseModel):
    """One line as it was read."""

    text: str
    confidence: float | None = Field(description="0.0 to 1.0; null = not known.", examples=[0.9697])
    bbox: list[list[float]] = Field(
        description="Four points [x, y] clockwise from the top-left one as the text is read; pixels.",
        examples=[[[12, 10], [180, 10], [180, 34], [12, 34]]],
    )
    page: int = Field(description="1 = the first page.")


class OcrResponse(BaseModel):
    """One file. A blank page is an empty list of lines."""

    lines: list[OcrLine]
    line_count: int
    avg_confidence: float | None = Field(description="Mean over the lines; null when nothing is known.")
    processing_time_ms: int
    text: str = Field(description="The lines in reading order.")
    engine: str
    model: str
    fallback_from: str
    warnings: list[OcrNotice]
    timings: OcrTimings
    pages: list[dict[str, Any]] = Field(description="Pages > blocks > lines > words.")
    request_id: str


class FileResult(OcrResponse):
    """One of several files, read."""

    filename: str
    index: int = Field(description="Position in the request, from 0.")
    ok: Literal[True] = True


class FileProblem(BaseModel):
    """One of several files, refused."""

    filename: str
    index: int = Field(description="Position in the request, from 0.")
    ok: Literal[False] = False
    error: Problem


class OcrResults(BaseModel):
    """Several files, each with its own outcome, in the order they were sent."""

    results: list[FileResult | FileProblem]
