"""How a page ends at a model server: well, or in an error of our own words. The log has the server's."""

import logging
from http import HTTPStatus

import openai
from pecia_core.errors import EngineFailed, OutOfMemory, Overloaded, PeciaError, Unavailable
from pecia_core.vocabulary import FinishReason

log = logging.getLogger(__name__)

_LATER_S = 5.0
_MOST_LOGGED = 500
_ENDS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "repetition": FinishReason.REPETITION,  # vLLM's, where it is asked to look for loops
}


def end_of(reason: str) -> FinishReason:
    """Why the model stopped, by the last `finish_reason` of a stream; empty = there was none.

    Raises:
        EngineFailed: it was stopped. vLLM and SGLang end what they abort as if all was well, and a proxy
            that lost one of them may just end the stream: a part would pass for the whole page.
    """
    if reason not in _ENDS:
        log.warning("The model server gave up", extra={"reason": reason[:_MOST_LOGGED]})
        raise EngineFailed("The model server gave up on this page before its end.")
    return _ENDS[reason]


def translated(error: Exception) -> PeciaError:
    """The failure of a request."""
    reason = f"{type(error).__name__}: {error}"
    log.warning("The model server failed", extra={"reason": reason[:_MOST_LOGGED]})
    if isinstance(error, openai.APIStatusError):
        return _refused(error)
    if isinstance(error, openai.APITimeoutError):
        return Unavailable("The model server was silent for too long; try again later.", retry_after=_LATER_S)
    if isinstance(error, openai.APIConnectionError):
        return Unavailable("The model server cannot be reached; try again.", retry_after=_LATER_S)
    return EngineFailed("The model server's answer broke off or cannot be understood.")


def _refused(error: openai.APIStatusError) -> PeciaError:
    code = error.status_code
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return Overloaded("The model server has no room; try again.", retry_after=_wait_of(error))
    if code == HTTPStatus.INSUFFICIENT_STORAGE:
        return OutOfMemory("The model server has too little memory for this page.")
    if code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return EngineFailed(f"The model server refused the page ({code}): is its profile the right one?")
    return Unavailable(f"The model server failed ({code}); try again.", retry_after=_LATER_S)


def _wait_of(error: openai.APIStatusError) -> float:
    said = error.response.headers.get("retry-after", "")
    return min(max(float(said), 1.0), 60.0) if said.isdecimal() else 1.0
