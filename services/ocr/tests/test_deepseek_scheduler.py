"""Many pages on one model: each says what it says alone, whoever comes, leaves or fails beside it."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from pecia_core.errors import DeadlineExceeded, InvalidRequest
from pecia_core.vocabulary import FinishReason, ModelSize
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.profiles import NGram
from pecia_ocr.engines.deepseek.rehearsal import generated, page, prompt, said, settled, shown, words
from pecia_ocr.engines.deepseek.scheduler import Request, Scheduler

Start = Callable[..., Scheduler]


@pytest.fixture(scope="module")
def mixed(tiny_model: LoadedModel) -> list[tuple[Request, list[int]]]:
    """Pages of several sizes and lengths, each with what it says alone."""
    sizes = [ModelSize.TINY, ModelSize.SMALL, ModelSize.TINY, ModelSize.TINY, ModelSize.SMALL]
    lengths = [24, 15, 32, 7, 18]
    requests = [
        shown(tiny_model, size, seed, max_new_tokens=length)
        for seed, (size, length) in enumerate(zip(sizes, lengths, strict=True))
    ]
    requests += [words(30 + index, 40, 50, max_new_tokens=10 + index) for index in range(4)]
    return [(request, generated(tiny_model, request)) for request in requests]


@pytest.mark.parametrize("ahead", [0, 1])
def test_joins_and_leaves_change_nobodys_words(
    start: Start, mixed: list[tuple[Request, list[int]]], ahead: int
) -> None:
    """Nine pages through three slots equal single `generate`, token for token."""
    scheduler = start(ahead=ahead)
    tickets = [scheduler.submit(request) for request, _ in mixed]
    for ticket, (request, alone) in zip(tickets, mixed, strict=True):
        assert said(ticket) == alone
        assert len(alone) == request.max_new_tokens
        assert ticket.reason is FinishReason.LENGTH
    assert settled(scheduler)


def test_a_large_page_with_tiles_is_read_beside_small_ones(start: Start, tiny_model: LoadedModel) -> None:
    """Views of three sizes in one round."""
    requests = [
        shown(tiny_model, ModelSize.GUNDAM, 20, max_new_tokens=8),
        shown(tiny_model, ModelSize.TINY, 21, max_new_tokens=8),
    ]
    scheduler = start(max_length=1024)
    tickets = [scheduler.submit(request) for request in requests]
    assert [said(ticket) for ticket in tickets] == [generated(tiny_model, request) for request in requests]


@pytest.mark.parametrize("ahead", [0, 1])
def test_cancels_at_random_steps_change_nobody_elses_words(
    start: Start, mixed: list[tuple[Request, list[int]]], ahead: int
) -> None:
    """Who is cancelled has said the beginning of it; the slot is free for the next."""
    chance = random.Random(7 + ahead)  # noqa: S311 - nothing is hidden behind it
    scheduler = start(ahead=ahead)
    order = [chance.choice(mixed) for _ in range(24)]
    tickets = [scheduler.submit(request) for request, _ in order]
    for ticket, (_, alone) in zip(tickets, order, strict=True):
        stop_after = chance.choice([0, 1, 3, 8, 1000])
        got: list[int] = []
        for step in ticket.steps():
            got += step.token_ids
            if len(got) > stop_after:
                ticket.cancel()
        assert got == alone[: len(got)]
        assert ticket.reason is (FinishReason.LENGTH if len(got) == len(alone) else FinishReason.CANCELLED)
    assert settled(scheduler)


def test_nothing_is_left_of_500_cancelled_requests(start: Start) -> None:
    """Before, while and after they run, from several threads; then one is read as ever."""
    scheduler = start()
    chance = random.Random(3)  # noqa: S311 - nothing is hidden behind it
    before = threading.active_count()

    def visit(seed: int) -> None:
        for number in range(100):
            ticket = scheduler.submit(words(5 + seed, 7 + number, max_new_tokens=200))
            steps = ticket.steps()
            for _ in range(chance.choice([0, 0, 0, 1, 2])):
                next(steps, None)
            ticket.cancel()
            assert len(list(steps)) <= 200
            assert ticket.reason in {FinishReason.CANCELLED, FinishReason.LENGTH}

    visitors = [threading.Thread(target=visit, args=(seed,)) for seed in range(5)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(60)
    assert settled(scheduler)
    assert threading.active_count() == before
    assert scheduler._rounds.seats.free == 0
    assert len(said(scheduler.submit(words(9, max_new_tokens=5)))) == 5


def test_a_cancelled_page_frees_its_slot_at_the_next_step(start: Start) -> None:
    """Though it had hundreds of tokens to go."""
    scheduler = start(slots=1)
    long = scheduler.submit(words(5, max_new_tokens=500))
    steps = long.steps()
    next(steps)
    after = scheduler.submit(words(6, max_new_tokens=1))
    long.cancel()
    assert len(said(after)) == 1
    assert sum(len(step.token_ids) for step in steps) < 450
    assert long.reason is FinishReason.CANCELLED


def test_a_reader_who_leaves_cancels(start: Start) -> None:
    """Closing the iterator is enough."""
    scheduler = start()
    ticket = scheduler.submit(words(5, max_new_tokens=500))
    for _ in ticket.steps():
        break
    assert settled(scheduler)
    assert ticket.reason is FinishReason.CANCELLED


def test_a_deadline_frees_the_slot(start: Start) -> None:
    """Of one that runs and of one that waits; who has time goes on."""
    scheduler = start(slots=1)
    running = scheduler.submit(words(5, max_new_tokens=511, deadline=time.monotonic() + 0.05))
    waiting = scheduler.submit(words(6, max_new_tokens=9, deadline=time.monotonic() - 1))
    patient = scheduler.submit(words(7, max_new_tokens=3))
    for late in (running, waiting):
        with pytest.raises(DeadlineExceeded):
            said(late)
    assert len(said(patient)) == 3
    assert waiting.started is None
    assert settled(scheduler)


def served(scheduler: Scheduler, requests: list[Request]) -> list[str]:
    """The tenants in the order in which they got the only slot."""
    first = scheduler.submit(words(5, max_new_tokens=400))
    steps = first.steps()
    next(steps)
    tickets = [scheduler.submit(request) for request in requests]
    first.cancel()
    for ticket in tickets:
        said(ticket)
    tickets.sort(key=lambda ticket: ticket.started or 0.0)
    return [ticket.request.tenant for ticket in tickets]


def test_the_urgent_come_first_and_tenants_take_turns(start: Start) -> None:
    """Priority before fairness, fairness before arrival."""
    requests = [words(6, max_new_tokens=2, tenant=name, priority=1) for name in "aaaab"]
    requests.append(words(6, max_new_tokens=2, tenant="urgent", priority=0))
    assert served(start(slots=1), requests) == ["urgent", "a", "b", "a", "a", "a"]


def test_tokens_in_flight_are_bounded(start: Start) -> None:
    """With room for two pages' tokens, two of three slots are used."""
    scheduler = start(kv_tokens=210)
    tickets = [scheduler.submit(words(5 + index, max_new_tokens=98)) for index in range(4)]
    most = 0
    for ticket in tickets:
        for _ in ticket.steps():
            most = max(most, scheduler.stats().running)
    assert most == 2
    with pytest.raises(InvalidRequest, match="room for 210"):
        scheduler.submit(words(*range(5, 250)))


def test_an_answer_ends_with_its_end_token(start: Start, tiny_model: LoadedModel) -> None:
    """Which is not part of it; the slot is free."""
    alone = said(start().submit(words(9, max_new_tokens=30)))
    end = alone[12]
    model = replace(tiny_model, profile=replace(tiny_model.profile, eos_token_id=end))
    for ahead in (0, 1):
        scheduler = start(model, ahead=ahead)
        ticket = scheduler.submit(words(9, max_new_tokens=30))
        assert said(ticket) == alone[: alone.index(end)]
        assert ticket.reason is FinishReason.STOP
        assert settled(scheduler)


def test_an_answer_ends_where_there_is_no_more_room(start: Start) -> None:
    """Without a bound of its own it may fill its slot."""
    ticket = start(max_length=40).submit(words(9, 10))
    assert len(said(ticket)) == 37
    assert ticket.reason is FinishReason.LENGTH


def test_a_seed_says_the_same_whoever_runs_beside(start: Start) -> None:
    """Alone, and among others that come and go; without one, twice is not the same."""
    seeded = words(9, 10, max_new_tokens=40, temperature=1.5, top_p=0.9, seed=1234)
    scheduler = start()
    alone = said(scheduler.submit(seeded))
    others = [words(20 + index, max_new_tokens=7 * index + 3, temperature=1.0) for index in range(5)]
    tickets = [scheduler.submit(request) for request in [*others[:2], seeded, *others[2:]]]
    assert said(tickets[2]) == alone
    assert said(scheduler.submit(replace(seeded, seed=1235))) != alone
    chance = replace(seeded, seed=None)
    assert said(scheduler.submit(chance)) != said(scheduler.submit(chance))


def test_each_row_has_its_own_rules(start: Start, tiny_model: LoadedModel) -> None:
    """A penalty as in transformers beside an n-gram ban beside neither."""
    penalised = words(9, 10, 11, max_new_tokens=20, repetition_penalty=1.3)
    banned = words(9, 10, 11, max_new_tokens=60, ngram=NGram(2, 64))
    free = words(9, 10, 11, max_new_tokens=20)
    scheduler = start()
    tickets = [scheduler.submit(request) for request in (penalised, banned, free)]
    assert said(tickets[0]) == generated(tiny_model, penalised, repetition_penalty=1.3)
    answer = said(tickets[1])
    pairs = list(pairwise(answer))
    assert len(pairs) == len(set(pairs))
    assert said(tickets[2]) == generated(tiny_model, free)


def test_impossible_requests_are_refused_at_once(start: Start, tiny_model: LoadedModel) -> None:
    """Before they wait for a slot."""
    scheduler = start()
    small = page(tiny_model.profile, ModelSize.SMALL)
    with pytest.raises(InvalidRequest, match="room for 512"):
        scheduler.submit(words(*[5] * 511))
    with pytest.raises(InvalidRequest, match="n-gram"):
        scheduler.submit(words(5, ngram=NGram(99, 100)))
    for ids in ([0], prompt(tiny_model.profile, small[1]), [0, *[259] * 110, 5]):
        with pytest.raises(ValueError, match="placeholder"):
            scheduler.submit(Request(ids, (small,)))


def test_stats_tell_what_is_done(start: Start) -> None:
    """Slots, line, tokens and how full the steps were."""
    scheduler = start(slots=2)
    tickets = [scheduler.submit(words(5, max_new_tokens=500)) for _ in range(3)]
    steps = tickets[1].steps()
    next(steps)
    stats = scheduler.stats()
    for ticket in tickets:
        ticket.cancel()
    assert settled(scheduler)
    assert (stats.running, stats.waiting) == (2, 1)
    assert stats.tokens > 0
    assert stats.tokens_per_second > 0
    assert 0 < stats.batch_fill <= 1
