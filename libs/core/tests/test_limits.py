"""Rates and places, on a clock that the tests move."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.errors import Overloaded
from pecia_core.keys import KeyRecord, hash_key
from pecia_core.limits import Allowance, TenantLimits, TokenBucket, clamp_retry_after


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


RECORD = KeyRecord("key1", "odoo", hash_key("x"), requests_per_minute=60, max_in_flight=2)


def spend(limits: TenantLimits, record: KeyRecord, requests: int) -> None:
    """Requests that end at once."""
    for _ in range(requests):
        with limits.admit(record):
            pass


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("seconds", "header"),
        [(-5, 1), (0, 1), (0.2, 1), (1, 1), (1.01, 2), (59.5, 60), (60, 60), (3600, 60)],
    )
    def test_it_is_whole_seconds_within_a_minute(self, seconds: float, header: int) -> None:
        """Clients ignore what is above a minute, and 0 means at once."""
        assert clamp_retry_after(seconds) == header

    @pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
    def test_what_is_no_time_is_the_longest(self, seconds: float) -> None:
        """A rate not measured yet gives no number; the caller gets a careful one."""
        assert clamp_retry_after(seconds) == 60


class TestBucket:
    def test_a_minutes_worth_passes_at_once_and_no_more(self) -> None:
        """Bursts are welcome up to the limit."""
        bucket = TokenBucket(10, Clock())
        assert [bucket.take() for _ in range(10)] == [0.0] * 10
        assert bucket.take() == pytest.approx(6.0)

    def test_it_fills_evenly(self) -> None:
        """Ten a minute is one every six seconds."""
        clock = Clock()
        bucket = TokenBucket(10, clock)
        for _ in range(10):
            bucket.take()
        clock.now += 5.9
        assert bucket.take() > 0
        clock.now += 0.2
        assert bucket.take() == 0.0

    def test_waiting_as_told_is_enough(self) -> None:
        """Whoever comes back after the seconds named is let in."""
        clock = Clock()
        bucket = TokenBucket(7, clock)
        while not (wait := bucket.take()):
            pass
        clock.now += wait + 1e-6
        assert bucket.take() == 0.0

    def test_a_refusal_costs_nothing(self) -> None:
        """Knocking does not push the door further away."""
        bucket = TokenBucket(1, Clock())
        bucket.take()
        assert bucket.take() == bucket.take() == pytest.approx(60.0)

    def test_a_clock_that_goes_back_takes_nothing_away(self) -> None:
        """A virtual machine's clock may jump."""
        clock = Clock()
        bucket = TokenBucket(10, clock)
        clock.now -= 100
        assert bucket.remaining == 10

    def test_remaining_and_reset_say_what_is_left(self) -> None:
        """The header values follow from the tokens."""
        bucket = TokenBucket(60, Clock())
        assert (bucket.remaining, bucket.reset_s) == (60, 0.0)
        for _ in range(15):
            bucket.take()
        assert (bucket.remaining, bucket.reset_s) == (45, 15.0)

    @given(
        rate=st.integers(1, 1000),
        steps=st.lists(st.tuples(st.floats(0, 30), st.integers(0, 50)), max_size=30),
    )
    def test_the_mean_holds_whatever_callers_do(self, rate: int, steps: list[tuple[float, int]]) -> None:
        """Over any stretch no more pass than a full bucket and what the time has filled."""
        clock = Clock()
        bucket = TokenBucket(rate, clock)
        passed = 0
        for seconds, requests in steps:
            clock.now += seconds
            passed += sum(bucket.take() == 0.0 for _ in range(requests))
            assert passed <= rate + rate * (clock.now - 1000.0) / 60 + 1e-6
            assert 0 <= bucket.remaining <= rate

    @pytest.mark.parametrize("rate", [0, -1])
    def test_a_rate_lets_somebody_in(self, rate: int) -> None:
        """No limit is no bucket; a bucket that never fills is a mistake."""
        with pytest.raises(ValueError, match="at least 1"):
            TokenBucket(rate, Clock())


class TestAdmission:
    def test_a_refusal_says_what_to_do(self) -> None:
        """Code, seconds and a sentence for the reader."""
        limits = TenantLimits(Clock())
        spend(limits, RECORD, 60)
        with pytest.raises(Overloaded, match=r"60 requests a minute\. Try again in 1 s") as refused:
            spend(limits, RECORD, 1)
        assert (refused.value.code, refused.value.retry_after) == ("rate_limit_exceeded", 1)

    def test_places_come_free_when_calls_end(self) -> None:
        """Two at once, the third is refused until one has ended."""
        limits = TenantLimits(Clock())
        with ExitStack() as calls:
            calls.enter_context(limits.admit(RECORD))
            with limits.admit(RECORD), pytest.raises(Overloaded, match="2 requests running") as refused:
                spend(limits, RECORD, 1)
            assert refused.value.code == "rate_limit_exceeded"
            spend(limits, RECORD, 1)

    def test_a_call_that_fails_gives_its_place_back(self) -> None:
        """A place is never lost to an error."""
        limits = TenantLimits(Clock())
        for _ in range(5):
            with pytest.raises(RuntimeError), limits.admit(RECORD):
                raise RuntimeError
        with limits.admit(RECORD), limits.admit(RECORD):
            pass

    def test_a_call_refused_for_its_place_takes_nothing_from_the_rate(self) -> None:
        """Who waits for a place does not pay for asking."""
        limits = TenantLimits(Clock())
        with limits.admit(RECORD), limits.admit(RECORD):
            for _ in range(10):
                with pytest.raises(Overloaded):
                    spend(limits, RECORD, 1)
            assert limits.allowance(RECORD).remaining == 58

    def test_a_call_refused_for_the_rate_takes_no_place(self) -> None:
        """After a refusal all places are still there."""
        clock = Clock()
        limits = TenantLimits(clock)
        spend(limits, RECORD, 60)
        for _ in range(5):
            with pytest.raises(Overloaded):
                spend(limits, RECORD, 1)
        clock.now += 60
        with limits.admit(RECORD), limits.admit(RECORD):
            pass

    def test_keys_do_not_spend_each_others_limits(self) -> None:
        """A noisy key of a tenant leaves the tenant's other keys alone."""
        limits = TenantLimits(Clock())
        spend(limits, RECORD, 60)
        spend(limits, replace(RECORD, id="key2"), 60)

    def test_zero_is_no_limit(self) -> None:
        """Services of our own are not held back."""
        limits = TenantLimits(Clock())
        free = replace(RECORD, requests_per_minute=0, max_in_flight=0)
        with ExitStack() as calls:
            for _ in range(1000):
                assert calls.enter_context(limits.admit(free)) == Allowance()

    def test_a_changed_record_has_its_new_limits_at_once(self) -> None:
        """A keys file that is read again counts from the next request."""
        limits = TenantLimits(Clock())
        spend(limits, RECORD, 60)
        spend(limits, replace(RECORD, requests_per_minute=120), 120)

    def test_nothing_is_kept_of_calls_that_ended(self) -> None:
        """A million calls leave no million entries."""
        limits = TenantLimits(Clock())
        spend(limits, RECORD, 50)
        assert not limits._in_flight


class TestHeaders:
    def test_they_tell_what_is_left_after_this_call(self) -> None:
        """The names and forms OpenAI's clients read."""
        limits = TenantLimits(Clock())
        with limits.admit(RECORD) as allowance:
            assert allowance.headers() == {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1.000s",
            }

    def test_without_a_limit_there_are_none(self) -> None:
        """A header of 0 would read as nothing left."""
        assert Allowance().headers() == {}
