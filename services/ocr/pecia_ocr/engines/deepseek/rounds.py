"""What the scheduler's thread does, round after round, for those who run and those who wait.

Drop who is cancelled or late, give free slots to those whose turn it is, compute the next token of all slots
together, pass the tokens on. On a GPU a step's tokens are read while the next one runs.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from random import SystemRandom

import torch
from pecia_core.errors import DeadlineExceeded, InvalidRequest, PeciaError
from pecia_core.vocabulary import FinishReason

from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.pace import Pace
from pecia_ocr.engines.deepseek.profiles import NGram
from pecia_ocr.engines.deepseek.runner import Newcomer, Outcome, Runner, RunnerOptions
from pecia_ocr.engines.deepseek.sampler import Rules
from pecia_ocr.engines.deepseek.seats import Seat, Seats
from pecia_ocr.engines.deepseek.tickets import Request, Ticket
from pecia_ocr.engines.deepseek.vision import VisionEncoder, release_memory, too_little_memory
from pecia_ocr.engines.deepseek.waiting import WaitingLine

_CHANCE = SystemRandom()
_SEEDS = 1 << 63
_SHORTEST_PROMPT = 2
_WIDEST = NGram(40, 128)


@dataclass(frozen=True, slots=True)
class SchedulerLimits:
    """What the scheduler may use.

    Attributes:
        slots: requests at once.
        max_length: tokens of one, prompt and answer; memory is taken for slots x max_length of them.
        kv_tokens: tokens that all running ones may come to together; None = no further bound.
        prompt_tokens: of those who begin in one round; at least one begins.
        ngram: the longest and the widest a request may ask for.
        graphs: capture steps in CUDA graphs; None = on a GPU.
        ahead: steps begun before the tokens of the first are read; None = 1 on a GPU, else 0.
        experts: how to compute experts in a step, for measurements; None = what suits the device.
    """

    slots: int = 16
    max_length: int = 4096
    kv_tokens: int | None = None
    prompt_tokens: int = 4096
    ngram: NGram = _WIDEST
    graphs: bool | None = None
    ahead: int | None = None
    experts: str | None = None


@dataclass(frozen=True, slots=True)
class _Begun:
    """A step whose tokens have not been read: who was in which slot, and how many rows were computed."""

    outcome: Outcome
    seated: list[tuple[int, Seat]]
    rows: int


class Rounds:
    """Slots, line and device. All but `check` and the lengths are for one thread."""

    def __init__(self, loaded: LoadedModel, limits: SchedulerLimits) -> None:
        """Take the memory of all slots."""
        on_gpu = loaded.device.type == "cuda"
        graphs = on_gpu if limits.graphs is None else limits.graphs
        options = RunnerOptions(limits.slots, limits.max_length, limits.ngram, graphs, limits.experts)
        self.runner = Runner(loaded, options)
        self.pace = Pace()
        self.seats = Seats(limits.slots)
        self.line = WaitingLine()
        self._limits = limits
        self._room = min(limits.max_length, limits.kv_tokens or limits.max_length)
        self._ahead = int(on_gpu) if limits.ahead is None else limits.ahead
        self._image = loaded.profile.image_token_id
        self._stop = loaded.profile.eos_token_id
        self._vision = VisionEncoder(loaded)
        self._begun: deque[_Begun] = deque()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do until somebody comes."""
        return not (len(self.line) or len(self.seats) or self._begun)

    def check(self, request: Request) -> None:
        """Refuse what cannot be computed.

        Raises:
            InvalidRequest: with these limits.
            ValueError: prompt and picture do not belong together.
        """
        placeholders = request.ids.count(self._image)
        expected = sum(plan.image_tokens for _, plan in request.pictures)
        short = len(request.ids) < _SHORTEST_PROMPT
        if placeholders != expected or short or request.ids[-1] == self._image:
            raise ValueError(
                f"a prompt needs text at its end and a placeholder for each of {expected} picture tokens: it "
                f"has {len(request.ids)} ids, {placeholders} of them placeholders"
            )
        self.runner.sampler.check(rules(request))
        if len(request.ids) >= self._room:
            raise InvalidRequest(
                f"The prompt has {len(request.ids)} tokens, {placeholders} of them for the picture; there is "
                f"room for {self._room} with the answer. Ask for a smaller model_size.",
                param="model_size",
            )

    def round(self) -> None:
        """Once around.

        Raises:
            Exception: the device is lost; nothing can be computed any more.
        """
        self._drop()
        self._admit()
        self._close_ranks()
        self._begin_step()
        while len(self._begun) > (self._ahead if len(self.seats) else 0):
            self._pass_on()

    def end(self, error: PeciaError) -> None:
        """Tell everybody that there will be no more."""
        for ticket in self.line.remove(lambda _: True):
            ticket.fail(error)
        for seated in (list(self.seats), *(begun.seated for begun in self._begun)):
            for _, seat in seated:
                seat.ticket.fail(error)
        for slot, _ in self.seats:
            self.seats.leave(slot)
        self._begun.clear()

    def _drop(self) -> None:
        """Free the slots of those nobody waits for."""
        for ticket in self.line.remove(lambda ticket: ticket.cancelled or ticket.expired):
            _give_up(ticket)
        for slot, seat in self.seats:
            if seat.ticket.cancelled or seat.ticket.expired:
                self._leave(slot)
                _give_up(seat.ticket)

    def _leave(self, slot: int) -> None:
        self.seats.leave(slot)
        self.runner.leave(slot)

    def _admit(self) -> None:
        """Give free slots to those whose turn it is, as many as one round may begin."""
        chosen: list[tuple[int, Seat]] = []
        left = self._limits.prompt_tokens
        while (slot := self.seats.free) is not None:
            fits = partial(self._fits, left if chosen else self._limits.max_length)
            ticket = self.line.next(self.seats.by_tenant(), fits)
            if ticket is None:
                break
            ticket.start()
            seat = Seat(ticket, rules(ticket.request), self._most(ticket.request))
            self.seats.take(slot, seat)
            chosen.append((slot, seat))
            left -= seat.prompt
        if newcomers := self._shown(chosen):
            self._seat(newcomers)

    def _most(self, request: Request) -> int:
        room = self._room - len(request.ids)
        return min(request.max_new_tokens or room, room)

    def _fits(self, prompt_tokens: int, ticket: Ticket) -> bool:
        request, most = ticket.request, self._limits.kv_tokens
        reserved = self.seats.reserved + len(request.ids) + self._most(request)
        return len(request.ids) <= prompt_tokens and (most is None or reserved <= most)

    def _shown(self, chosen: Sequence[tuple[int, Seat]]) -> list[Newcomer]:
        """Encode all pictures together; who fails leaves, the others go on."""
        requests = [seat.ticket.request for _, seat in chosen]
        encoded = iter(self._vision.encode([page for request in requests for page in request.pictures]))
        newcomers = []
        for (slot, seat), request in zip(chosen, requests, strict=True):
            pictures = list(islice(encoded, len(request.pictures)))
            if failure := next((error for error in pictures if isinstance(error, PeciaError)), None):
                self._fail(slot, failure)
                continue
            embeddings = self.runner.embed(request.ids, pictures)
            newcomers.append(Newcomer(slot, request.ids, embeddings, seat.rules))
        return newcomers

    def _seat(self, newcomers: list[Newcomer]) -> None:
        """Compute prompts together; where memory runs out, half as many at once."""
        try:
            self.runner.seat(newcomers)
        except torch.OutOfMemoryError:
            release_memory(self.runner.device)
            half = len(newcomers) // 2
            if not half:
                self._fail(newcomers[0].slot, too_little_memory())
                return
            self._seat(newcomers[:half])
            self._seat(newcomers[half:])

    def _fail(self, slot: int, error: PeciaError) -> None:
        seat = dict(self.seats)[slot]
        self._leave(slot)
        seat.ticket.fail(error)

    def _close_ranks(self) -> None:
        """Move the last ones into free slots where that makes the step smaller."""
        while (free := self.seats.free) is not None and free < (last := self.seats.rows - 1):
            if self.runner.batch(last + 1) == self.runner.batch(len(self.seats)):
                return
            self.runner.move(last, free, dict(self.seats)[last].tokens)
            self.seats.move(last, free)

    def _begin_step(self) -> None:
        """Compute everybody's next token. Who then has all of their answer leaves at once."""
        rows = self.seats.rows
        if not rows:
            return
        try:
            outcome = self.runner.step(rows, self.seats.longest, self.seats.work)
        except torch.OutOfMemoryError:
            # Nothing was committed: without the newest of them the step can be computed again.
            release_memory(self.runner.device)
            newest, _ = max(self.seats, key=lambda item: item[1].ticket.started or 0.0)
            self._fail(newest, too_little_memory())
            return
        self._begun.append(_Begun(outcome, list(self.seats), self.runner.batch(rows)))
        for slot, seat in self.seats:
            seat.launched += 1
            if seat.launched == seat.most:
                self._leave(slot)

    def _pass_on(self) -> None:
        """Give the tokens of the oldest step to those who were in it and have not ended since."""
        begun = self._begun.popleft()
        ids, logprobs = begun.outcome.read()
        belonging = [(slot, seat) for slot, seat in begun.seated if not seat.ticket.ended]
        for slot, seat in belonging:
            reason = FinishReason.STOP if ids[slot] == self._stop else None
            if reason is None:
                seat.received += 1
                seat.ticket.give(ids[slot], logprobs[slot])
                reason = FinishReason.LENGTH if seat.received == seat.most else None
            if reason is not None:
                self._finish(seat, reason)
        self.pace.note(len(belonging), begun.rows)

    def _finish(self, seat: Seat, reason: FinishReason) -> None:
        """Free its slot, in which it may have moved since, and which it may have left."""
        for slot, other in self.seats:
            if other is seat:
                self._leave(slot)
        seat.ticket.finish(reason)


def rules(request: Request) -> Rules:
    """How its tokens are chosen; without a seed, by chance."""
    return Rules(
        temperature=request.temperature,
        top_p=1.0 if request.top_p is None else request.top_p,
        seed=_CHANCE.randrange(_SEEDS) if request.seed is None else request.seed,
        repetition_penalty=1.0 if request.repetition_penalty is None else request.repetition_penalty,
        ngram=request.ngram,
    )


def _give_up(ticket: Ticket) -> None:
    if ticket.cancelled:
        ticket.finish(FinishReason.CANCELLED)
    else:
        ticket.fail(DeadlineExceeded("The page was not read in the time it was given. Allow it more."))
