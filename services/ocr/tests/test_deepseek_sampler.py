"""How the next token of each row is chosen, against plain Python and against transformers."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from pecia_core.errors import InvalidRequest
from pecia_ocr.engines.deepseek.profiles import NGram
from pecia_ocr.engines.deepseek.sampler import Rules, Sampler, Work, uniform
from transformers import RepetitionPenaltyLogitsProcessor, TopPLogitsWarper

ALL = Work(sampled=True, penalised=True)
WIDEST = NGram(6, 32)
CPU = torch.device("cpu")


def sampler(*rules: Rules, vocabulary: int = 16, prompt: Sequence[int] = ()) -> Sampler:
    """A slot for each."""
    seated = Sampler(len(rules), vocabulary, WIDEST, CPU)
    for slot, rule in enumerate(rules):
        seated.check(rule)
        seated.seat(slot, rule, torch.tensor(prompt, dtype=torch.long))
    return seated


def remember(chosen: Sampler, slot: int, answer: Sequence[int]) -> None:
    """As if this had been generated."""
    last = answer[-WIDEST.window :]
    chosen._recent[slot, WIDEST.window - len(last) :] = torch.tensor(last, dtype=torch.int)
    chosen._produced[slot] = len(answer)


def repeated(answer: Sequence[int], ngram: NGram) -> set[int]:
    """The ids that upstream's processor bans, in its own words: loops over lists."""
    if len(answer) < ngram.size:
        return set()
    prefix = list(answer[len(answer) - ngram.size + 1 :])
    first = max(0, len(answer) - ngram.window)
    starts = range(first, len(answer) - ngram.size + 1)
    runs = [list(answer[start : start + ngram.size]) for start in starts]
    return {run[-1] for run in runs if run[:-1] == prefix} - set(ngram.allowed)


def test_the_ban_is_the_plain_one_on_3000_random_batches() -> None:
    """Of three rows each: every row has its own n-gram, window, exceptions and past."""
    chance = random.Random(1)  # noqa: S311 - nothing is hidden behind it
    rows = 3 * 3000
    chosen = Sampler(rows, 6, WIDEST, CPU)
    expected = []
    for slot in range(rows):
        size = chance.randint(2, WIDEST.size)
        allowed = tuple(chance.sample(range(6), chance.randint(0, 2)))
        ngram = NGram(size, chance.randint(size, WIDEST.window), allowed)
        answer = [chance.randint(0, 2) for _ in range(chance.randint(0, 60))]
        chosen.seat(slot, Rules(ngram=ngram), torch.tensor([], dtype=torch.long))
        remember(chosen, slot, answer)
        expected.append(repeated(answer, ngram))
    assert [
        {token for token, hit in enumerate(row) if hit} for row in chosen._banned(rows).tolist()
    ] == expected
    assert sum(map(bool, expected)) > rows / 10


def test_what_is_noted_is_banned_when_it_would_come_back() -> None:
    """The past grows by `note`, and a row without an n-gram repeats as it likes."""
    chosen = sampler(Rules(ngram=NGram(2, 8)), Rules())
    for token in (1, 2, 3, 1):
        chosen.note(torch.tensor([token, token]))
    scores = torch.zeros(2, 16)
    scores[:, 2] = 5
    scores[:, 4] = 1
    assert chosen.choose(scores, Work()).tokens.tolist() == [4, 2]


def test_a_new_request_in_a_slot_has_no_past() -> None:
    """Nothing of the one before is left."""
    chosen = sampler(Rules(ngram=NGram(2, 8), repetition_penalty=9.0, temperature=2.0, seed=5), prompt=[7])
    for token in (1, 2, 1):
        chosen.note(torch.tensor([token]))
    chosen.seat(0, Rules(ngram=NGram(2, 8)), torch.tensor([3]))
    fresh = sampler(Rules(ngram=NGram(2, 8)), prompt=[3])
    assert all(torch.equal(old, new) for old, new in zip(chosen._states(), fresh._states(), strict=True))


@pytest.mark.parametrize(
    "ngram", [NGram(1, 8), NGram(7, 32), NGram(4, 33), NGram(4, 3), NGram(2, 8, tuple(range(9)))]
)
def test_an_impossible_ngram_is_refused(ngram: NGram) -> None:
    """Before it takes a slot, with what would be possible."""
    with pytest.raises(InvalidRequest, match=r"up to 32|At most 8"):
        sampler(Rules(ngram=ngram))


def test_temperature_0_takes_the_likeliest() -> None:
    """And its logarithm is that of the model's own probability."""
    scores = torch.tensor([[1.0, 3.0, 2.0]])
    choice = sampler(Rules(), vocabulary=3).choose(scores, ALL)
    assert choice.tokens.tolist() == [1]
    total = sum(math.exp(score) for score in (1, 3, 2))
    assert choice.logprobs.tolist() == pytest.approx([3 - math.log(total)])


def test_the_penalty_is_that_of_transformers() -> None:
    """For prompt and answer alike, each row with its own."""
    torch.manual_seed(0)
    scores = torch.randn(2, 16)
    rules = [Rules(repetition_penalty=1.3), Rules(repetition_penalty=1.0)]
    chosen = sampler(*rules, prompt=[3, 5])
    chosen.note(torch.tensor([7, 7]))
    past = torch.tensor([[3, 5, 7]])
    expected = RepetitionPenaltyLogitsProcessor(1.3)(past, scores[:1].clone())
    assert torch.equal(chosen._penalised(scores), torch.cat([expected, scores[1:]]))


def test_draws_stay_within_top_p_and_follow_the_probabilities() -> None:
    """The same ids that transformers keeps, as often as they are likely."""
    torch.manual_seed(3)
    scores = torch.randn(1, 16) * 2
    rows = 20_000
    chosen = Sampler(rows, 16, WIDEST, CPU)
    chosen._temperature[:] = 0.8
    chosen._top_p[:] = 0.7
    chosen._seed[:] = torch.arange(rows)
    counts = Counter(chosen.choose(scores.expand(rows, -1), ALL).tokens.tolist())
    kept = TopPLogitsWarper(0.7)(torch.tensor([[0]]), scores / 0.8)
    expected = kept.softmax(-1)[0]
    assert set(counts) == set((expected > 0).nonzero()[:, 0].tolist())
    for token, count in counts.items():
        assert count / rows == pytest.approx(float(expected[token]), abs=0.02)


def test_a_seed_says_the_same_whoever_shares_the_batch() -> None:
    """In another slot, beside others, at another time; another seed says something else."""
    torch.manual_seed(4)
    steps = torch.randn(12, 64)

    def said(slot: int, seeds: Sequence[int]) -> list[int]:
        chosen = sampler(*(Rules(temperature=1.0, seed=seed) for seed in seeds), vocabulary=64)
        tokens = []
        for scores in steps:
            batch = torch.randn(len(seeds), 64)
            batch[slot] = scores
            choice = chosen.choose(batch, ALL)
            chosen.note(choice.tokens)
            tokens.append(int(choice.tokens[slot]))
        return tokens

    alone = said(0, [2**63 + 11])
    assert said(2, [1, 2, 2**63 + 11, 3]) == alone
    assert said(0, [12]) != alone


def test_chance_is_splitmix64() -> None:
    """Number by number what the published generator gives, in Python's own integers."""
    mask = (1 << 64) - 1

    def published(seed: int, step: int) -> float:
        number = (seed + (step + 1) * 0x9E3779B97F4A7C15) & mask
        number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & mask
        number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & mask
        return ((number ^ (number >> 31)) >> 40) / 2**24

    seeds = [0, 1, 2**62, -5]
    got = uniform(torch.tensor(seeds), torch.tensor([0, 1, 2, 3]))
    assert got.tolist() == [published(seed & mask, step) for step, seed in enumerate(seeds)]


def test_a_request_goes_on_in_another_slot() -> None:
    """Its rules and its past move with it."""
    chosen = sampler(Rules(), Rules(ngram=NGram(3, 9), temperature=0.5, seed=9), prompt=[2])
    chosen.note(torch.tensor([4, 5]))
    chosen.move(1, 0)
    assert all(torch.equal(state[0], state[1]) for state in chosen._states())
