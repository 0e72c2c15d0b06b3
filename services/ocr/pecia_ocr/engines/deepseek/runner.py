"""Runs the language model: prompts into slots, then one step for every slot at once.

A step looks at nothing outside the device, so that on a GPU it is captured once for each number of rows and
length it is needed for, and replayed. The last token of a prompt is not prefilled but taken as if it had
been generated: so the first token of an answer, too, comes out of a step.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from pecia_ocr.engines.deepseek.kv import FULL, WINDOWED, PromptLayer, SlotCache
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.profiles import NGram
from pecia_ocr.engines.deepseek.sampler import Choice, Rules, Sampler, Work

ALL_EXPERTS = "pecia_all_experts"
_BATCHED = "batched_mm"
_GROUPED = "grouped_mm"
_SDPA = "sdpa"
# Up to here copying the chosen experts' weights is cheaper than reading those of all.
_FEW_ROWS = 3
# Compute capabilities for which torch has a kernel that multiplies by groups without asking the host.
_GROUPED_KERNELS = (9, 10)
_WARMING_STEPS = 2
_SHORTEST_VIEW = 256


def all_experts(
    self: Any,  # noqa: ANN401 - whatever module of transformers holds experts
    states: torch.Tensor,
    chosen: torch.Tensor,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Every expert for every row, those not chosen weighing nothing: reads each weight once, asks nobody.

    Args:
        self: gate_up_proj [experts, 2 x inner, width] and down_proj [experts, width, inner].
        states: [rows, width].
        chosen: [rows, k] experts.
        weights: [rows, k] of these.
    """
    experts = self.gate_up_proj.shape[0]
    share = weights.new_zeros(states.shape[0], experts).scatter_(1, chosen, weights)
    wide = states.expand(experts, -1, -1)
    inner = self._apply_gate(torch.bmm(wide, self.gate_up_proj.transpose(1, 2)))
    outer = torch.bmm(inner, self.down_proj.transpose(1, 2))
    return torch.einsum("re,erw->rw", share.to(outer.dtype), outer)


ALL_EXPERTS_FUNCTIONS.register(ALL_EXPERTS, all_experts)


def experts_for(capability: int | None, rows: int) -> str:
    """How to compute the chosen experts in a step; prompts are always multiplied by groups.

    Args:
        capability: the GPU's, its first number; None = a CPU.
        rows: of the step.
    """
    if capability in _GROUPED_KERNELS:
        return _GROUPED
    if rows <= _FEW_ROWS:
        return _BATCHED
    return _GROUPED if capability is None else ALL_EXPERTS


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """What a runner has room for.

    `slots`: requests at once. `length`: tokens of one, prompt and answer. `ngram`: the longest and widest
    a request may ask for. `graphs`: capture steps in CUDA graphs. `experts`: instead of `experts_for`.
    """

    slots: int
    length: int
    ngram: NGram
    graphs: bool = False
    experts: str | None = None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A request for a slot: all ids of its prompt, the embeddings of all but the last, its rules."""

    slot: int
    ids: Sequence[int]
    embeddings: torch.Tensor
    rules: Rules


class Outcome:
    """What a step has chosen, on its way from the device."""

    def __init__(self, chosen: torch.Tensor) -> None:
        """Copy without waiting. `chosen`: [2, batch] ids and log-probabilities, in double precision."""
        self._event: torch.cuda.Event | None = None
        if chosen.device.type == "cuda":
            self._host = torch.empty(chosen.shape, dtype=chosen.dtype, pin_memory=True)
            self._host.copy_(chosen, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._host = chosen.clone()

    def read(self) -> tuple[list[int], list[float]]:
        """Ids and log-probabilities by slot; waits for the step to be through."""
        if self._event is not None:
            self._event.synchronize()
        ids, logprobs = self._host
        return ids.long().tolist(), logprobs.tolist()


class Runner:
    """One model with its slots. To be used by one thread, under `torch.inference_mode`."""

    def __init__(self, loaded: LoadedModel, options: RunnerOptions) -> None:
        """Take the memory of all slots."""
        self.options = options
        self._model = loaded.model
        self._text = loaded.model.model.language_model
        self._prompt_attention = loaded.prompt_attention
        self._image = loaded.profile.image_token_id
        weight = next(self._text.parameters())
        self.device: torch.device = weight.device
        config = self._text.config
        self.cache = SlotCache(config, options.slots, options.length, weight)
        self.sampler = Sampler(options.slots, config.vocab_size, options.ngram, self.device)
        self._by_layer = hasattr(config, "layer_types")
        self._tokens = torch.zeros(options.slots, dtype=torch.long, device=self.device)
        self._chosen = torch.zeros(2, options.slots, dtype=torch.double, device=self.device)
        on_gpu = self.device.type == "cuda"
        self._capability = torch.cuda.get_device_capability(self.device)[0] if on_gpu else None
        self._experts = ""
        # Captured steps are few: others are computed with more rows and tokens than they need.
        self._rounded = options.graphs
        self._graphs: dict[tuple[int, int, Work], torch.cuda.CUDAGraph] = {}
        self._pool: Any = torch.cuda.graph_pool_handle() if options.graphs else None
        self._views = _views(options.length)
        self._batches = _batches(options.slots)

    def batch(self, rows: int) -> int:
        """How many rows a step computes of which `rows`, from the first, are needed."""
        return self._batches[bisect_left(self._batches, rows)] if self._rounded else rows

    def embed(self, ids: Sequence[int], pictures: Sequence[torch.Tensor]) -> torch.Tensor:
        """The embeddings of all ids but the last: [ids - 1, width]; the pictures' stand at their tokens."""
        index = torch.tensor(ids[:-1], device=self.device)
        embeddings: torch.Tensor = self._text.embed_tokens(index)
        if pictures:
            places = [place for place, token in enumerate(ids) if token == self._image]
            embeddings[torch.tensor(places, device=self.device)] = torch.cat(list(pictures))
        return embeddings

    def seat(self, newcomers: Sequence[Newcomer]) -> None:
        """Compute their prompts together and put each into its slot."""
        longest = max(len(newcomer.embeddings) for newcomer in newcomers)
        width = newcomers[0].embeddings.shape[1]
        # Shorter ones are filled up at the end: nothing before looks there, and it is not copied.
        batch = newcomers[0].embeddings.new_zeros(len(newcomers), longest, width)
        for row, newcomer in zip(batch, newcomers, strict=True):
            row[: len(newcomer.embeddings)] = newcomer.embeddings
        layers = [PromptLayer() for _ in range(self._text.config.num_hidden_layers)]
        self._compute_as(_GROUPED, self._prompt_attention)
        self._forward(
            batch, torch.arange(longest, device=self.device)[None], Cache(layers=list(layers)), None
        )
        for row, newcomer in enumerate(newcomers):
            slot, tokens = newcomer.slot, len(newcomer.embeddings)
            self.cache.fill(slot, layers, row, tokens)
            self.cache.place(slot, tokens, len(newcomer.ids))
            ids = torch.tensor(newcomer.ids, device=self.device)
            self.sampler.seat(slot, newcomer.rules, ids)
            self._tokens[slot] = ids[-1]

    def leave(self, slot: int) -> None:
        """Nobody is in this slot any more."""
        self.cache.place(slot, 0, 0)

    def move(self, source: int, target: int, tokens: int) -> None:
        """Let a request of so many tokens go on in another slot."""
        self.cache.move(source, target, tokens)
        self.sampler.move(source, target)
        self._tokens[target] = self._tokens[source]
        self.leave(source)

    def step(self, rows: int, longest: int, work: Work) -> Outcome:
        """The next token of the first `rows` slots.

        Args:
            rows: one more than the last slot somebody is in.
            longest: tokens, with this step's, of the longest of them.
            work: at least what the rules of these rows need.
        """
        batch = self.batch(rows)
        view = self._views[bisect_left(self._views, longest)] if self._rounded else longest
        self.cache.rows.batch, self.cache.rows.view = batch, view
        if self.options.graphs:
            self._graph(batch, view, work).replay()
        else:
            self._compute_as(self._experts_for(batch), _SDPA)
            self._commit(self._choose(work))
        return Outcome(self._chosen[:, :batch])

    def _graph(self, batch: int, view: int, work: Work) -> torch.cuda.CUDAGraph:
        """A captured step. Until it is captured nothing is committed, so that warming up leaves no trace."""
        key = batch, view, work
        if key not in self._graphs:
            self._compute_as(self._experts_for(batch), _SDPA)
            beside = torch.cuda.Stream(self.device)
            here = torch.cuda.current_stream(self.device)
            beside.wait_stream(here)
            with torch.cuda.stream(beside):
                for _ in range(_WARMING_STEPS):
                    self._choose(work)
            here.wait_stream(beside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                self._commit(self._choose(work))
            self._graphs[key] = graph
        return self._graphs[key]

    def warm_up(self, longest: int) -> None:
        """Capture the plain steps of all batches up to so many tokens, before anybody waits for them."""
        if not self.options.graphs:
            return
        for batch in self._batches:
            for view in self._views[: bisect_left(self._views, longest) + 1]:
                self.cache.rows.batch, self.cache.rows.view = batch, view
                self._graph(batch, view, Work())

    def _choose(self, work: Work) -> Choice:
        """Compute a step; writes nothing but keys and values that would come out the same again."""
        rows = self.cache.rows
        embeddings = self._text.embed_tokens(self._tokens[: rows.batch, None])
        position = rows.position[: rows.batch, None]
        states = self._forward(embeddings, position, self.cache.layers, self.cache.masks())
        scores: torch.Tensor = self._model.lm_head(states[:, -1])
        return self.sampler.choose(scores, work)

    def _commit(self, choice: Choice) -> None:
        batch = self.cache.rows.batch
        self._tokens[:batch] = choice.tokens
        self.sampler.note(choice.tokens)
        self.cache.advance()
        self._chosen[0, :batch] = choice.tokens
        self._chosen[1, :batch] = choice.logprobs

    def _forward(
        self,
        embeddings: torch.Tensor,
        position: torch.Tensor,
        cache: Cache,
        masks: dict[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """[rows, tokens, width] -> the same; without masks every token sees those before it."""
        by_layer = masks or dict.fromkeys((FULL, WINDOWED))
        states: torch.Tensor = self._text(
            inputs_embeds=embeddings,
            attention_mask=by_layer if self._by_layer else by_layer[FULL],
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return states

    def _experts_for(self, rows: int) -> str:
        return self.options.experts or experts_for(self._capability, rows)

    def _compute_as(self, experts: str, attention: str) -> None:
        if experts != self._experts:
            self._model.set_experts_implementation(experts)
            self._experts = experts
        if attention != self._text.config._attn_implementation:  # noqa: SLF001 - set below, read nowhere public
            self._text.set_attn_implementation(attention)


def _batches(slots: int) -> list[int]:
    """Numbers of rows that steps are captured for: 1, 2, 4, ... and all."""
    return sorted({slots, *(1 << power for power in range(slots.bit_length()) if 1 << power < slots)})


def _views(length: int) -> list[int]:
    """Lengths that steps are captured for, each at most half as long again as the one before."""
    views = [_SHORTEST_VIEW]
    while views[-1] < length:
        last = views[-1]
        views.append(last + last // 2 if last & (last - 1) == 0 else last // 3 * 4)
    return sorted({min(view, length) for view in views})
