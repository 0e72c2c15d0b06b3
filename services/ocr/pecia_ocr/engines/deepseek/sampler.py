"""From scores to the next token of every row: its own rules each, no word from the device in between.

Everything is a tensor over the rows, so that a step never waits for the device and can be captured in a
CUDA graph. Chance comes from a row's seed and how many tokens it has: the same seed gives the same text,
whoever shares the batch.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from pecia_core.errors import InvalidRequest

from pecia_ocr.engines.deepseek.profiles import NGram

# Ids a row may exclude from its ban.
_MOST_ALLOWED = 8
_SHORTEST_NGRAM = 2
# splitmix64 (Steele, Lea and Flood 2014); as signed numbers, because that is what torch multiplies.
_STEP = -0x61C8864680B583EB
_MIX = (30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)
_LAST_SHIFT = 31
_MANTISSA = 24


@dataclass(frozen=True, slots=True)
class Rules:
    """How one request's tokens are chosen; temperature 0 = the likeliest."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    repetition_penalty: float = 1.0
    ngram: NGram | None = None


class Work(NamedTuple):
    """What a step has to do for the row that asks for most; what nobody asks for is left out."""

    sampled: bool = False
    penalised: bool = False


class Choice(NamedTuple):
    """[batch] chosen ids, and the natural logarithms of their probabilities before any rule."""

    tokens: torch.Tensor
    logprobs: torch.Tensor


class Sampler:
    """The rules and the past of all slots."""

    def __init__(self, slots: int, vocabulary: int, widest: NGram, device: torch.device) -> None:
        """No rules yet. `widest`: no request may ask for more than its `size` and `window`."""
        self._widest = widest
        self._vocabulary = vocabulary

        def column(value: float, dtype: torch.dtype) -> torch.Tensor:
            return torch.full((slots,), value, dtype=dtype, device=device)

        self._produced = column(0, torch.long)
        self._seed = column(0, torch.long)
        self._temperature = column(0, torch.float)
        self._top_p = column(1, torch.float)
        self._penalty = column(1, torch.float)
        self._size = column(0, torch.long)
        self._window = column(0, torch.long)
        self._allowed = torch.full((slots, _MOST_ALLOWED), -1, dtype=torch.int, device=device)
        # The last ids of each row's answer, the newest at the end, -1 where there is none yet.
        self._recent = torch.full((slots, widest.window), -1, dtype=torch.int, device=device)
        # Which ids its prompt and answer have had.
        self._seen = torch.zeros((slots, vocabulary), dtype=torch.bool, device=device)

    def check(self, rules: Rules) -> None:
        """Refuse rules that cannot be kept.

        Raises:
            InvalidRequest: the n-gram is shorter than 2, or longer or wider than there is room for.
        """
        ngram, widest = rules.ngram, self._widest
        if ngram is None:
            return
        if (
            not _SHORTEST_NGRAM <= ngram.size <= min(widest.size, ngram.window)
            or ngram.window > widest.window
        ):
            raise InvalidRequest(
                f"An n-gram of {ngram.size} within {ngram.window} tokens cannot be kept from repeating: "
                f"its size may be {_SHORTEST_NGRAM} to {widest.size}, its window up to {widest.window} and "
                "no less than its size."
            )
        if len(ngram.allowed) > _MOST_ALLOWED:
            raise InvalidRequest(f"At most {_MOST_ALLOWED} ids can be allowed to repeat.")

    def seat(self, slot: int, rules: Rules, prompt: torch.Tensor) -> None:
        """Begin a request in a slot. `prompt`: its ids, which count as seen for the repetition penalty."""
        self._produced[slot] = 0
        self._seed[slot] = _signed(rules.seed)
        self._temperature[slot] = rules.temperature
        self._top_p[slot] = rules.top_p
        self._penalty[slot] = rules.repetition_penalty
        ngram = rules.ngram or NGram(0, 0)
        self._size[slot] = ngram.size
        self._window[slot] = ngram.window
        allowed = [*ngram.allowed, *[-1] * (_MOST_ALLOWED - len(ngram.allowed))]
        self._allowed[slot] = torch.tensor(allowed, dtype=torch.int, device=self._allowed.device)
        self._recent[slot] = -1
        self._seen[slot] = False
        self._seen[slot, prompt] = True

    def move(self, source: int, target: int) -> None:
        """Let a request go on in another slot."""
        for state in self._states():
            state[target] = state[source]

    def _states(self) -> tuple[torch.Tensor, ...]:
        past = self._produced, self._recent, self._seen
        chance = self._seed, self._temperature, self._top_p, self._penalty
        return *past, *chance, self._size, self._window, self._allowed

    def choose(self, scores: torch.Tensor, work: Work) -> Choice:
        """The next token of the first rows; changes nothing, so that it can be done again.

        Args:
            scores: [batch, vocabulary] of the language model.
            work: at least what these rows' rules need.
        """
        batch = scores.shape[0]
        plain = scores.float()
        ruled = self._penalised(plain) if work.penalised else plain
        ruled = ruled.masked_fill(self._banned(batch), float("-inf"))
        tokens = ruled.argmax(-1)
        if work.sampled:
            tokens = torch.where(self._temperature[:batch] > 0, self._drawn(ruled), tokens)
        logprobs = plain.gather(1, tokens[:, None])[:, 0] - plain.logsumexp(-1)
        return Choice(tokens, logprobs)

    def note(self, tokens: torch.Tensor) -> None:
        """Remember what was chosen for the first rows: [batch]."""
        batch = tokens.shape[0]
        newest = tokens[:, None].to(self._recent.dtype)
        self._recent[:batch] = torch.cat([self._recent[:batch, 1:], newest], 1)
        self._produced[:batch] += 1
        self._seen[:batch].scatter_(1, tokens[:, None], value=True)

    def _penalised(self, scores: torch.Tensor) -> torch.Tensor:
        """Less for what was seen (Keskar et al. 2019), as transformers does it."""
        penalty = self._penalty[: scores.shape[0], None]
        less = torch.where(scores < 0, scores * penalty, scores / penalty)
        return torch.where(self._seen[: scores.shape[0]], less, scores)

    def _banned(self, batch: int) -> torch.Tensor:
        """[batch, vocabulary] which ids would repeat an n-gram within the row's window."""
        longest, width = self._widest.size, self._widest.window
        recent, size = self._recent[:batch], self._size[:batch, None]
        steps = torch.arange(width, device=recent.device)[None]
        # Each place with the longest-1 ids before it; a shorter n-gram passes over the first of these.
        runs = torch.nn.functional.pad(recent, (longest - 1, 0), value=-1).unfold(1, longest, 1)
        passed = steps[:, : longest - 1] < longest - size
        alike = (runs[..., :-1] == runs[:, -1:, 1:]) | passed[:, None]
        reach = torch.minimum(self._window[:batch], self._produced[:batch])[:, None]
        inside = (steps - size + 1 >= width - reach) & (size > 0)
        allowed = (recent[..., None] == self._allowed[:batch, None]).any(-1)
        hit = alike.all(-1) & inside & ~allowed
        # Places that ban nothing point behind the vocabulary.
        target = torch.where(hit, recent.long(), self._vocabulary)
        banned = torch.zeros((batch, self._vocabulary + 1), dtype=torch.bool, device=recent.device)
        return banned.scatter_(1, target, value=True)[:, :-1]

    def _drawn(self, scores: torch.Tensor) -> torch.Tensor:
        """One id a row, by chance, among the likeliest that make up `top_p`."""
        batch = scores.shape[0]
        temperature = self._temperature[:batch, None]
        # Greedy rows come along; what they draw is not looked at, but has to be computable.
        scores = scores / torch.where(temperature > 0, temperature, 1.0)
        likely, order = scores.softmax(-1).sort(dim=-1, descending=True, stable=True)
        up_to = likely.cumsum(-1)
        kept = likely * (up_to - likely < self._top_p[:batch, None])
        mass = kept.cumsum(-1)
        target = mass[:, -1:] * uniform(self._seed[:batch], self._produced[:batch])[:, None]
        last = (kept > 0).sum(-1, keepdim=True) - 1
        place = torch.minimum((mass <= target).sum(-1, keepdim=True), last)
        return order.gather(1, place)[:, 0]


def uniform(seed: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """Numbers from 0 up to 1, the same for the same seed and step on every machine: [rows] -> [rows]."""
    number = seed + (step + 1) * _STEP
    for shift, factor in _MIX:
        number = (number ^ _shifted(number, shift)) * factor
    number = number ^ _shifted(number, _LAST_SHIFT)
    return _shifted(number, 64 - _MANTISSA).float() / (1 << _MANTISSA)


def _shifted(number: torch.Tensor, bits: int) -> torch.Tensor:
    """To the right, filling up with zeros."""
    return (number >> bits) & ((1 << (64 - bits)) - 1)


def _signed(number: int) -> int:
    """The same 64 bits as a signed number."""
    return ((number + (1 << 63)) % (1 << 64)) - (1 << 63)
