"""Every code has one class, and every error can say what it is."""

import inspect
import re

import pytest
from pecia_core import errors
from pecia_core.errors import ERROR_CODES, EngineFailed, Overloaded, PeciaError, Unavailable, from_code

FAMILY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, PeciaError) and kind is not PeciaError
]


@pytest.mark.parametrize("kind", FAMILY)
def test_the_default_code_of_a_class_is_its_own(kind: type[PeciaError]) -> None:
    """An error raised without a code comes back from the wire as the same class."""
    assert ERROR_CODES[kind.default_code] is kind
    assert kind("Something. Do something.").code == kind.default_code


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
def test_a_code_leads_back_to_its_class(code: str) -> None:
    """Code, message, param and hint survive the way over the wire."""
    error = from_code(code, "What to do.", param="image", retry_after=3.0)
    assert type(error) is ERROR_CODES[code]
    assert (error.code, error.message, error.param, error.retry_after) == (code, "What to do.", "image", 3.0)
    assert str(error) == "What to do."


def test_a_code_nobody_knows_is_a_failed_engine() -> None:
    """A newer server's code must not pass silently, nor break the client."""
    error = from_code("made_tomorrow", "Something new.")
    assert type(error) is EngineFailed
    assert error.code == "server_error"
    assert error.message == "Something new."


def test_an_unknown_code_cannot_be_raised() -> None:
    """A code outside the table is a programming error that shows at once."""
    with pytest.raises(ValueError, match="unknown error code 'oops'"):
        PeciaError("text", code="oops")


def test_retrying_helps_only_where_it_can() -> None:
    """No room and nobody there pass with time; everything else stays as it is."""
    assert {kind for kind in FAMILY if kind.retryable} == {Overloaded, Unavailable}


def test_codes_are_words_for_programs() -> None:
    """Codes are stable lower-case words, as OpenAI's clients expect strings."""
    assert all(re.fullmatch("[a-z][a-z0-9_]*", code) for code in ERROR_CODES)


def test_every_class_is_reachable_by_some_code() -> None:
    """A class without a code could never come back over the wire."""
    assert set(ERROR_CODES.values()) == set(FAMILY)
