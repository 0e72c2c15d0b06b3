"""How often and how much at once a caller may ask."""

from contextlib import ExitStack

import pytest
from pecia_core.errors import Overloaded
from pecia_core.keys import KeyRecord, hash_key
from pecia_gateway.admission import Admission
from pecia_gateway.auth import Caller
from pecia_gateway.settings import AuthSettings

_ANYBODY = Caller("default", "")


def _caller(key_id: str, *, rate: int = 0, at_once: int = 0) -> Caller:
    record = KeyRecord(key_id, "acme", hash_key(key_id), requests_per_minute=rate, max_in_flight=at_once)
    return Caller("acme", key_id, key_id, record)


def _admitted(admission: Admission, caller: Caller, wanted: int) -> tuple[int, Overloaded | None]:
    """How many of `wanted` requests at once get in, and what the first refused one hears."""
    with ExitStack() as stack:
        for count in range(wanted):
            try:
                stack.enter_context(admission.admit(caller))
            except Overloaded as refusal:
                return count, refusal
    return wanted, None


def test_without_limits_everybody_gets_in() -> None:
    """And no header pretends that there is a limit."""
    admission = Admission(AuthSettings())
    assert _admitted(admission, _ANYBODY, 100) == (100, None)
    with admission.admit(_ANYBODY) as rate:
        assert rate.headers() == {}


def test_requests_at_once_are_bounded_and_come_back() -> None:
    """A place is free again as soon as an answer is out, whatever became of it."""
    admission = Admission(AuthSettings(max_in_flight=2))
    for _ in range(3):
        count, refusal = _admitted(admission, _ANYBODY, 3)
        assert count == 2
        assert refusal is not None
        assert (refusal.code, refusal.retry_after) == ("rate_limit_exceeded", 1)
    with pytest.raises(RuntimeError), admission.admit(_ANYBODY):
        raise RuntimeError
    assert _admitted(admission, _ANYBODY, 2) == (2, None)


def test_a_refused_request_does_not_count() -> None:
    """Hammering a full door does not use up the minute."""
    admission, caller = Admission(AuthSettings()), _caller("a", rate=10, at_once=1)
    with admission.admit(caller):
        for _ in range(50):
            assert _admitted(admission, caller, 1)[0] == 0
    with admission.admit(caller) as rate:
        assert rate.remaining == 8


def test_the_minute_is_used_up() -> None:
    """The hint is computed from the rate: six a minute is one in ten seconds."""
    admission, caller = Admission(AuthSettings()), _caller("a", rate=6)
    remaining = []
    for _ in range(6):
        with admission.admit(caller) as rate:
            remaining.append(int(rate.headers()["x-ratelimit-remaining-requests"]))
    assert remaining == [5, 4, 3, 2, 1, 0]
    with pytest.raises(Overloaded) as caught, admission.admit(caller):
        pass
    assert caught.value.retry_after == 10


def test_keys_do_not_share_their_limits() -> None:
    """One greedy key leaves the others alone, even of the same tenant."""
    admission = Admission(AuthSettings(max_in_flight=1))
    with admission.admit(_caller("greedy", at_once=1)), admission.admit(_ANYBODY):
        assert _admitted(admission, _caller("modest", at_once=1), 1) == (1, None)
