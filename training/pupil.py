"""The model that learns, and its three lessons.

From answers alone a model of this kind would have to find out what a character looks like, where the next
one stands and how to write it, all at once. So the halves are taught apart first. `words`: a table of vectors
stands in for the picture's tokens, and the language model learns to read them in order. `eyes`: the encoder
learns to make these vectors of a picture. `both`: the whole model reads, picture to answer. The table is not
part of what is saved.
"""

from collections.abc import Sequence
from typing import Any

import torch
from pecia_core.vocabulary import TaskType
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.prompts import prompt_ids
from pecia_ocr.engines.deepseek.vision import VisionEncoder
from torch import nn
from torch.nn import functional

from training.drawn import ALPHABET
from training.lessons import DEPTH, PLAN, SIDE, Lesson

_NO_LABEL = -100
_TABLE_SPREAD = 0.5
_NOISE = 0.3  # of the stand-ins, so that pictures need not hit them exactly
_BLANK_WEIGHT = 0.1
_NEARNESS = 0.5


class Pupil(nn.Module):  # type: ignore[misc]  # Any here, see pyproject.toml
    """A loaded checkpoint, in single precision, with the table that stands in for pictures."""

    table: torch.Tensor  # [DEPTH, characters, width]
    places: torch.Tensor  # [SIDE * SIDE, width]

    def __init__(self, loaded: LoadedModel) -> None:
        """Use the model's own weights: they change."""
        super().__init__()
        self.loaded = loaded
        self.model: Any = loaded.model
        self.model.requires_grad_(requires_grad=True)
        width = self.model.config.text_config.hidden_size
        dice = torch.Generator().manual_seed(0)
        places = torch.randn(SIDE * SIDE, width, generator=dice) * _TABLE_SPREAD
        table = torch.randn(DEPTH, len(ALPHABET) + 1, width, generator=dice) * _TABLE_SPREAD
        # They never change: so neither half depends on what the other has learnt.
        self.register_buffer("table", table.to(loaded.device))
        self.register_buffer("places", places.to(loaded.device))
        self._encoder = VisionEncoder(loaded)
        self._prompt = prompt_ids(loaded.encode, TaskType.FREE_OCR, "", PLAN.image_tokens, loaded.profile)

    def words(self, batch: Sequence[Lesson], noise_seed: int) -> tuple[torch.Tensor, float]:
        """The loss of answers from stand-ins, and the share of their tokens that were right."""
        stand_ins = self.stand_ins(batch)
        dice = torch.Generator().manual_seed(noise_seed)
        noise = torch.randn(stand_ins.shape, generator=dice).to(stand_ins.device)
        return self.answers(batch, self._arranged(stand_ins + _NOISE * noise))

    def eyes(self, batch: Sequence[Lesson]) -> tuple[torch.Tensor, float]:
        """How far pictures are from their stand-ins, and the share of characters that are nearest."""
        return self.nearness(batch, self.seen(batch))

    def both(self, batch: Sequence[Lesson]) -> tuple[torch.Tensor, float]:
        """The loss of answers from pictures, a little of `eyes` added, and the share of tokens right."""
        seen = self.seen(batch)
        loss, right = self.answers(batch, seen)
        return loss + _BLANK_WEIGHT * self.nearness(batch, seen)[0], right

    def seen(self, batch: Sequence[Lesson]) -> torch.Tensor:
        """[pages, image tokens, width], as the engine gives them to the language model."""
        encoded = self._encoder.encode([(page.views, page.plan) for page in batch if page.views is not None])
        for page in encoded:
            if isinstance(page, Exception):
                raise page
        return torch.stack([page for page in encoded if isinstance(page, torch.Tensor)])

    def stand_ins(self, batch: Sequence[Lesson]) -> torch.Tensor:
        """[pages, SIDE * SIDE, width]: the sum of what stands there and of the place."""
        cells = self._cells(batch)
        return sum((self.table[depth][cells[..., depth]] for depth in range(DEPTH)), self.places)

    def nearness(self, batch: Sequence[Lesson], seen: torch.Tensor) -> tuple[torch.Tensor, float]:
        """See `eyes`; the stand-ins themselves stay as they are."""
        rows = seen[:, : SIDE * (SIDE + 1)].view(len(batch), SIDE, SIDE + 1, -1)
        features = rows[:, :, :SIDE].flatten(1, 2).float()
        cells = self._cells(batch)
        distance = functional.mse_loss(features, self.stand_ins(batch))
        scores = torch.einsum("bcw,dkw->bcdk", features - self.places, self.table)
        weight = torch.ones(scores.shape[-1], device=scores.device)
        weight[0] = _BLANK_WEIGHT
        loss = functional.cross_entropy(scores.flatten(0, 2), cells.flatten(), weight)
        there = cells > 0
        right = (scores.argmax(-1) == cells)[there].float().mean().item()
        return loss + _NEARNESS * distance, right

    def answers(self, batch: Sequence[Lesson], pictures: torch.Tensor) -> tuple[torch.Tensor, float]:
        """The loss of the answers' tokens only, each told all before it; and the share that was right."""
        ids, labels = self._written(batch)
        text = self.model.model.language_model
        embeddings = text.embed_tokens(ids)
        first = self._prompt.index(self.loaded.profile.image_token_id)
        embeddings = torch.cat(
            [
                embeddings[:, :first],
                pictures.to(embeddings.dtype),
                embeddings[:, first + pictures.shape[1] :],
            ],
            1,
        )
        states = text(inputs_embeds=embeddings, use_cache=False).last_hidden_state
        # Nothing before the last token of the prompt is asked for what comes next.
        start = len(self._prompt) - 1
        scores = self.model.lm_head(states[:, start:-1]).float()
        wanted = labels[:, start + 1 :]
        loss = functional.cross_entropy(scores.flatten(0, 1), wanted.flatten(), ignore_index=_NO_LABEL)
        asked = wanted != _NO_LABEL
        return loss, (scores.argmax(-1) == wanted)[asked].float().mean().item()

    def _written(self, batch: Sequence[Lesson]) -> tuple[torch.Tensor, torch.Tensor]:
        end = self.loaded.profile.eos_token_id
        answers = [[*self.loaded.encode(page.text), end] for page in batch]
        longest = max(len(answer) for answer in answers)
        ids = torch.full((len(batch), len(self._prompt) + longest), end)
        labels = torch.full_like(ids, _NO_LABEL)
        ids[:, : len(self._prompt)] = torch.tensor(self._prompt)
        for row, answer in enumerate(answers):
            there = slice(len(self._prompt), len(self._prompt) + len(answer))
            ids[row, there] = labels[row, there] = torch.tensor(answer)
        return ids.to(self.loaded.device), labels.to(self.loaded.device)

    def _arranged(self, cells: torch.Tensor) -> torch.Tensor:
        """Cells as the engine arranges them: a newline after each row, the separator at the end."""
        pages, _, width = cells.shape
        newline = self.model.model.image_newline.expand(pages, SIDE, 1, width)
        rows = torch.cat([cells.view(pages, SIDE, SIDE, width), newline], 2).flatten(1, 2)
        return torch.cat([rows, self.model.model.view_separator.expand(pages, 1, width)], 1)

    def _cells(self, batch: Sequence[Lesson]) -> torch.Tensor:
        cells: torch.Tensor = torch.stack([torch.from_numpy(page.cells) for page in batch])
        return cells.to(self.loaded.device)
