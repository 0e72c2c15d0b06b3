"""What a person asks for, and the body of the request that says so."""

import base64
from dataclasses import dataclass
from typing import Any

AUTO = "auto"
LOCATE = "locate"
MARKDOWN = "markdown"
# Label on the page -> task_type and the prompt that goes with it.
TASKS = {
    "Free OCR": ("free_ocr", "Free OCR."),
    "Convert to Markdown": (MARKDOWN, "Convert the document to markdown."),
    "Parse Figure": ("parse_figure", "Parse the figure."),
    "Locate Object": (LOCATE, "Locate the object."),
}
SIZES = ("Tiny", "Small", "Base", "Large", "Gundam")
DEFAULT_SIZE = "Gundam"

_PDF = "application/pdf"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", _PDF),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One picture or short PDF and what to do with it. `task` is a label of TASKS, `size` one of SIZES."""

    picture: bytes
    task: str = "Free OCR"
    size: str = DEFAULT_SIZE
    model: str = AUTO
    ref_text: str = ""

    @property
    def task_type(self) -> str:
        """The task's name on the wire."""
        return TASKS[self.task][0]

    @property
    def lacks_ref_text(self) -> bool:
        """Whether it says what to do but not with what."""
        return self.task_type == LOCATE and not self.ref_text.strip()

    def body(self) -> dict[str, Any]:
        """The body for POST /v1/chat/completions, streamed."""
        kind = media_type(self.picture)
        url = f"data:{kind};base64,{base64.b64encode(self.picture).decode()}"
        part: dict[str, Any] = {"type": "image_url", "image_url": {"url": url}}
        seen: dict[str, Any] = {}
        if kind == _PDF:
            part = {"type": "file", "file": {"file_data": url, "filename": "document.pdf"}}
            seen = {"annotate": True}  # this page opens no PDFs: who reads them shows how they look
        content = [{"type": "text", "text": TASKS[self.task][1]}, part]
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "model_size": self.size,
            "task_type": self.task_type,
            **seen,
        }
        return body | ({"ref_text": self.ref_text.strip()} if self.task_type == LOCATE else {})


def media_type(picture: bytes) -> str:
    """The media type by how the file begins; what is not known is left for the gateway to judge."""
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if picture.startswith(magic)), "application/octet-stream")
