"""What can go wrong for somebody at the page, in words that say what to do. One family."""

_TOO_LARGE = 413


class UiError(Exception):
    """A failure as the page shows it.

    Attributes:
        title: one short sentence, the heading.
        message: what happened, a full sentence.
        next_step: what the person can do; empty = the message says it all.
        status: HTTP status of the answer; 0 = there was none.
        code: the gateway's word for it, for programs; empty = there is none.
        request_id: the call's id in the gateway's log; empty = not known.
        retry_after: seconds after which a retry may succeed; None = not said.
    """

    title = "An error occurred"
    status = 0
    code = ""
    request_id = ""
    retry_after: float | None = None

    @property
    def asks_for_a_job(self) -> bool:
        """Whether the same file would go through as a job."""
        return self.code == "pdf_too_many_pages" or self.status == _TOO_LARGE

    def __init__(self, message: str, *, next_step: str = "") -> None:
        """Remember both sentences."""
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class Unreachable(UiError):
    """Nothing answers at the gateway's address."""

    title = "Cannot connect to API server. Please check if the service is running."


class TimedOut(UiError):
    """No answer in the time allowed."""

    title = "Request timed out. The image may be too large or complex."


class Broken(UiError):
    """The answer broke off, or is none of a gateway."""


class Refused(UiError):
    """The gateway said no, and why."""

    title = "The gateway refused"

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        """Remember what the gateway said; the title and the next step follow from its code."""
        super().__init__(message, next_step=_NEXT_STEPS.get(code) or _STEP_OF_STATUS.get(status, ""))
        self.status = status
        self.code = code
        self.title = _TITLES_OF_CODE.get(code) or _TITLES.get(status, self.title)


_BUSY = "The gateway is busy"
_TITLES = {
    401: "The gateway wants an API key",
    403: "This API key may not do that",
    404: "The gateway does not have this model",
    429: _BUSY,
    503: "The service is not ready",
    504: TimedOut.title,
    507: "The page does not fit into the GPU's memory",
}
_NOT_READ = "The gateway could not read this file"
_NOT_NOW = "This is not possible as the job stands now"
_TITLES_OF_CODE = {
    "not_found": "There is no such job",
    "invalid_image": _NOT_READ,
    "image_parse_error": _NOT_READ,
    "invalid_pdf": _NOT_READ,
    "unsupported_image_media_type": _NOT_READ,
    "pdf_encrypted": "This PDF is protected with a password",
    "job_not_completed": _NOT_NOW,
    "job_page_not_ready": _NOT_NOW,
    "job_page_not_drawable": "This page cannot be shown",
    "document_gone": "This page cannot be shown any more",
    "job_finished": _NOT_NOW,
    "job_limit_reached": "There is no room for another job",
    "storage_full": "There is no room for another job",
    "store_unavailable": "Jobs cannot be reached right now",
}
_STEP_OF_STATUS = {
    413: "Make the picture smaller, or save it as JPEG.",
    429: "Try again in a moment.",
    502: "Try again in a moment; if it stays like this, tell whoever runs the service.",
    503: "Try again in a few seconds.",
}
_NEXT_STEPS = {
    "invalid_api_key": "Type a valid key under “API key” in the sidebar.",
    "permission_denied": "Ask whoever runs the gateway to let this key do it.",
    "insufficient_quota": "Ask whoever runs the gateway for a larger quota.",
    "model_not_found": "Choose another model, or “auto”.",
    "unsupported_value": "Choose another task, or a model that can do this one.",
    "invalid_image": "Open the file in a viewer: it may be damaged or not a picture.",
    "image_parse_error": "Open the file in a viewer: it may be damaged or not a picture.",
    "empty_image_file": "The file has no bytes; make it again.",
    "unsupported_image_media_type": "Save the picture as PNG or JPEG.",
    "image_too_large": "Scale the picture down.",
    "not_found": "It may have been deleted, or belong to another API key.",
    "invalid_pdf": "Open the file in a viewer: it may be damaged.",
    "pdf_encrypted": "Choose “Manual Control” and type its password there.",
    "job_limit_reached": "Delete a job that ended, under “Job History”.",
    "storage_full": "Delete a job that ended, under “Job History”.",
    "store_unavailable": "Try again in a moment; jobs that are there go on by themselves.",
    "model_loading": "The model is being loaded; try again in a few seconds.",
    "engine_unavailable": "Tell whoever runs the service if this stays.",
    "inference_timeout": "Make the picture smaller, or choose a smaller size.",
    "gpu_out_of_memory": "Choose a smaller size.",
    "server_error": "Tell whoever runs the service the request id below.",
}
