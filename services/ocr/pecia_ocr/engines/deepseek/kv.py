"""Keys and values of many requests in one tensor a layer: a row each, every row at a position of its own.

A request is prefilled alone or beside others into `PromptCache`, copied into a free row (a slot), and
decoded there together with whoever is in the other rows.
"""

from collections.abc import Iterable

import torch
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, CacheLayerMixin

# The name transformers gives to attention that sees the whole prompt and a window of what was generated.
WINDOWED = "reference_sliding_attention"
FULL = "full_attention"


def token_bytes(config: PreTrainedConfig, dtype: torch.dtype) -> int:
    """Bytes that one token takes in a row, all layers together."""
    width = config.num_key_value_heads * config.head_dim
    return int(2 * config.num_hidden_layers * width * dtype.itemsize)


class _Layer(CacheLayerMixin):  # type: ignore[misc]  # Any here, see pyproject.toml
    """What transformers asks of a layer, where masks and positions are given and lengths never asked for."""

    is_sliding = False

    def __init__(self) -> None:
        """Nothing is kept yet."""
        super().__init__()

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing is lazy here."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """As if empty."""
        return query_length, 0

    def get_seq_length(self) -> int:
        """As if empty."""
        return 0

    def get_max_length(self) -> int:
        """No bound of its own."""
        return -1


class PromptLayer(_Layer):
    """Remembers one prefill as it was computed: [requests, heads, tokens, head size]."""

    keys: torch.Tensor
    values: torch.Tensor

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep them and attend to them."""
        self.keys, self.values = key_states, value_states
        return key_states, value_states


class SlotLayer(_Layer):
    """[slots, heads, length, head size]; a step writes one token a row, at that row's position."""

    is_compileable = True
    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, rows: "Rows", shape: tuple[int, int, int, int], dtype: torch.dtype) -> None:
        """Zeros, not garbage: what is masked still has to be finite."""
        super().__init__()
        device = rows.position.device
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.is_initialized = True
        self._rows = rows

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one token of the first `batch` rows; return their first `view` tokens."""
        batch, view = self._rows.batch, self._rows.view
        index, position = self._rows.index[:batch], self._rows.position[:batch]
        self.keys[index, :, position] = key_states[:, :, 0]
        self.values[index, :, position] = value_states[:, :, 0]
        return self.keys[:batch, :, :view], self.values[:batch, :, :view]


class Rows:
    """Where each row stands. All layers share it.

    Attributes:
        position: [slots] where the row's next token goes = how many it holds.
        prompt: [slots] how many of these are its prompt.
        taken: [slots] 1 where somebody is, else 0: how far a step moves the row on.
        index: [slots] 0, 1, 2, ...
        batch: how many rows, from the first, the next step computes.
        view: how many tokens, from the first, they look at; more than any of their positions.
    """

    def __init__(self, slots: int, device: torch.device) -> None:
        """All empty."""
        self.position = torch.zeros(slots, dtype=torch.long, device=device)
        self.prompt = torch.zeros(slots, dtype=torch.long, device=device)
        self.taken = torch.zeros(slots, dtype=torch.long, device=device)
        self.index = torch.arange(slots, device=device)
        self.batch = slots
        self.view = 1


class SlotCache:
    """The cache of the decode step: all slots, all layers."""

    def __init__(self, config: PreTrainedConfig, slots: int, length: int, like: torch.Tensor) -> None:
        """Take the memory now, for good.

        Args:
            config: of the language model.
            slots: requests at once.
            length: tokens a request may have, prompt and answer together.
            like: a weight; the cache is of its type and on its device.
        """
        self.slots, self.length = slots, length
        self.rows = Rows(slots, like.device)
        shape = (slots, config.num_key_value_heads, length, config.head_dim)
        self._layers = [SlotLayer(self.rows, shape, like.dtype) for _ in range(config.num_hidden_layers)]
        self.layers = Cache(layers=list(self._layers))
        windowed = WINDOWED in (getattr(config, "layer_types", None) or ())
        self._window: int | None = config.sliding_window if windowed else None
        self._dtype = like.dtype

    def masks(self) -> dict[str, torch.Tensor]:
        """What each row may see, to be added to its scores: [batch, 1, 1, view] by kind of layer."""
        rows = self.rows
        column = torch.arange(rows.view, device=rows.position.device)[None]
        position, prompt = rows.position[: rows.batch, None], rows.prompt[: rows.batch, None]
        seen = column <= position
        masks = {FULL: self._additive(seen)}
        if self._window is not None:
            near = (column < prompt) | (column > position - self._window)
            masks[WINDOWED] = self._additive(seen & near)
        return masks

    def _additive(self, seen: torch.Tensor) -> torch.Tensor:
        bias = torch.zeros(seen.shape, dtype=self._dtype, device=seen.device)
        return bias.masked_fill(~seen, float("-inf"))[:, None, None]

    def fill(self, slot: int, prompt: Iterable[PromptLayer], row: int, tokens: int) -> None:
        """Copy the first `tokens` of a prefill's row into a slot."""
        for layer, computed in zip(self._layers, prompt, strict=True):
            layer.keys[slot, :, :tokens] = computed.keys[row, :, :tokens]
            layer.values[slot, :, :tokens] = computed.values[row, :, :tokens]

    def place(self, slot: int, position: int, prompt: int) -> None:
        """Say where a slot's next token goes and how long its prompt is; 0, 0 = nobody is there."""
        self.rows.position[slot] = position
        self.rows.prompt[slot] = prompt
        self.rows.taken[slot] = bool(prompt)

    def advance(self) -> None:
        """The step is through: every row that somebody is in holds one token more."""
        batch = self.rows.batch
        # A row may be computed once more before its end is known; that step may write over its last token.
        self.rows.position[:batch].add_(self.rows.taken[:batch]).clamp_(max=self.length - 1)

    def move(self, source: int, target: int, tokens: int) -> None:
        """Copy a slot's first `tokens`, and where it stands, into another one."""
        for layer in self._layers:
            layer.keys[target, :, :tokens] = layer.keys[source, :, :tokens]
            layer.values[target, :, :tokens] = layer.values[source, :, :tokens]
        for state in (self.rows.position, self.rows.prompt, self.rows.taken):
            state[target] = state[source]
