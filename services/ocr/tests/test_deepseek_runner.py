"""Prompts into slots, one step for all of them, against transformers' own ways."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from pecia_core.vocabulary import ModelSize
from pecia_ocr.engines.deepseek.kv import token_bytes
from pecia_ocr.engines.deepseek.loader import LoadedModel, load_model
from pecia_ocr.engines.deepseek.profiles import Family, NGram
from pecia_ocr.engines.deepseek.rehearsal import page, prompt
from pecia_ocr.engines.deepseek.runner import (
    ALL_EXPERTS,
    Newcomer,
    Runner,
    RunnerOptions,
    _batches,
    _views,
    all_experts,
    experts_for,
)
from pecia_ocr.engines.deepseek.sampler import Rules, Work
from pecia_ocr.engines.deepseek.vision import VisionEncoder

PROMPTS = [[0, 10, 11, 12], [0, 50, 40, 30, 20, 60, 70, 80], [0, 90]]
STEPS = 12


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    """As the scheduler's thread does it."""
    with torch.inference_mode():
        yield


def runner(model: LoadedModel, slots: int = 4, experts: str | None = None) -> Runner:
    """Room for 64 tokens a slot."""
    return Runner(model, RunnerOptions(slots, 64, NGram(8, 32), experts=experts))


def seat(running: Runner, prompts: Sequence[list[int]], slots: Sequence[int]) -> None:
    """Greedy, without rules."""
    running.seat(
        [
            Newcomer(slot, ids, running.embed(ids, ()), Rules())
            for slot, ids in zip(slots, prompts, strict=True)
        ]
    )


def answers(running: Runner, slots: Sequence[int], longest: int, steps: int = STEPS) -> list[list[int]]:
    """What each slot says."""
    said: list[list[int]] = [[] for _ in slots]
    for step in range(steps):
        ids, _ = running.step(max(slots) + 1, longest + step, Work()).read()
        for answer, slot in zip(said, slots, strict=True):
            answer.append(ids[slot])
    return said


def generated(model: LoadedModel, ids: list[int], steps: int = STEPS) -> list[int]:
    """What transformers generates from the prompt alone."""
    output = model.model.generate(
        input_ids=torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=steps,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=2,
    )
    return list(output[0, len(ids) :].tolist())


@pytest.fixture(scope="module")
def expected(tiny_model: LoadedModel) -> list[list[int]]:
    """Of each prompt alone."""
    return [generated(tiny_model, ids) for ids in PROMPTS]


def test_prompts_of_unequal_length_are_seated_together(
    tiny_model: LoadedModel, expected: list[list[int]]
) -> None:
    """Each says what it says alone, in any slots, with free ones between."""
    running = runner(tiny_model)
    seat(running, PROMPTS, [3, 0, 1])
    assert answers(running, [3, 0, 1], 8) == expected


def test_one_joins_and_one_moves(tiny_model: LoadedModel, expected: list[list[int]]) -> None:
    """Nobody else's words change, and the one that moves goes on."""
    running = runner(tiny_model)
    seat(running, PROMPTS[:1], [2])
    first = answers(running, [2], 4, 5)[0]
    seat(running, PROMPTS[1:2], [1])
    both = answers(running, [2, 1], 9, 3)
    running.move(2, 0, len(PROMPTS[0]) - 1 + 8)
    rest = answers(running, [0, 1], 12, 4)
    assert first + both[0] + rest[0] == expected[0]
    assert both[1] + rest[1] == expected[1][:7]


def test_more_rows_and_tokens_than_needed_change_nothing(
    tiny_model: LoadedModel, expected: list[list[int]]
) -> None:
    """Captured steps are few, and computed for whoever is smaller, too."""
    running = runner(tiny_model, slots=7)
    running._rounded = True
    assert (running._batches, running._views) == ([1, 2, 4, 7], [64])
    seat(running, PROMPTS, [0, 1, 4])
    assert answers(running, [0, 1, 4], 8) == expected


def test_free_slots_stay_where_they_are(tiny_model: LoadedModel) -> None:
    """However often they are computed along."""
    running = runner(tiny_model)
    seat(running, PROMPTS[:2], [0, 3])
    running.leave(0)
    answers(running, [3], 8, 20)
    assert running.cache.rows.position.tolist() == [0, 0, 0, 27]
    running.leave(3)
    assert running.cache.rows.taken.sum() == 0


def test_buckets_grow_by_halves() -> None:
    """No step is computed for more than half as many tokens again as it needs."""
    assert _views(8192) == [256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192]
    assert _views(1200) == [256, 384, 512, 768, 1024, 1200]
    assert _batches(22) == [1, 2, 4, 8, 16, 22]
    assert _batches(1) == [1]


@pytest.mark.parametrize("experts", ["batched_mm", "grouped_mm", "eager", ALL_EXPERTS])
def test_every_way_to_compute_experts_says_the_same(
    tiny_model: LoadedModel, expected: list[list[int]], experts: str
) -> None:
    """Our own included, which asks nothing of the host."""
    running = runner(tiny_model, experts=experts)
    seat(running, PROMPTS, [0, 1, 2])
    assert answers(running, [0, 1, 2], 8) == expected


def test_all_experts_are_the_chosen_ones(tiny_model: LoadedModel) -> None:
    """Number by number what a loop over the chosen ones gives."""
    experts = tiny_model.model.model.language_model.layers[1].mlp.experts
    torch.manual_seed(0)
    states = torch.randn(6, 48)
    weights, chosen = torch.rand(6, 8).topk(3)
    rows = []
    for state, its, their in zip(states, chosen, weights, strict=True):
        outputs = []
        for expert in its:
            gate, up = (experts.gate_up_proj[expert] @ state).chunk(2)
            outputs.append(experts.down_proj[expert] @ (torch.nn.functional.silu(gate) * up))
        rows.append((torch.stack(outputs) * their[:, None]).sum(0))
    assert torch.allclose(all_experts(experts, states, chosen, weights), torch.stack(rows), atol=1e-5)


@pytest.mark.parametrize(
    ("capability", "rows", "experts"),
    [
        (None, 1, "batched_mm"),
        (None, 16, "grouped_mm"),
        (8, 3, "batched_mm"),
        (8, 4, ALL_EXPERTS),
        (9, 1, "grouped_mm"),
        (10, 64, "grouped_mm"),
        (12, 64, ALL_EXPERTS),
    ],
)
def test_experts_suit_the_device(capability: int | None, rows: int, experts: str) -> None:
    """Without a kernel for groups: copy a few, read all for many; never ask the host in between."""
    assert experts_for(capability, rows) == experts


def test_scores_and_words_are_upstreams(tiny_model: LoadedModel) -> None:
    """Of one picture and prompt; see test_deepseek_vision for where the numbers are from."""
    with np.load(Path(__file__).with_name("deepseek_upstream.npz")) as numbers:
        upstream = dict(numbers)
    views, plan = page(tiny_model.profile, ModelSize.TINY, int(upstream["tiny_seed"]))
    picture = VisionEncoder(tiny_model).encode([(views, plan)])[0]
    assert isinstance(picture, torch.Tensor)
    ids = prompt(tiny_model.profile, plan, *upstream["prompt"].tolist())
    running = Runner(tiny_model, RunnerOptions(2, 256, NGram(8, 32)))
    embeddings = running.embed([*ids, 0], [picture])
    hidden = tiny_model.model.model.language_model(inputs_embeds=embeddings[None]).last_hidden_state
    scores = tiny_model.model.lm_head(hidden[0, -len(upstream["scores"]) :])
    np.testing.assert_allclose(scores.numpy(), upstream["scores"], rtol=0, atol=1e-3)
    running.seat([Newcomer(1, ids, running.embed(ids, [picture]), Rules())])
    words = upstream["words"].tolist()
    said, logprobs = [], []
    for step in range(len(words)):
        token, logprob = running.step(2, len(ids) + step, Work()).read()
        said.append(token[1])
        logprobs.append(logprob[1])
    assert said == words
    first = torch.from_numpy(upstream["scores"][-1]).log_softmax(-1)[words[0]]
    assert logprobs[0] == pytest.approx(float(first), abs=1e-3)


def test_a_window_over_the_answer_is_kept(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Unlimited-OCR sees its prompt and the last tokens of its answer, as in transformers' own cache."""
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "unlimited"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": ["UnlimitedOCRForCausalLM"], "sliding_window": 6}
    (folder / "config.json").write_text(json.dumps(config))
    model = load_model(folder, dtype=torch.float)
    assert model.profile.family is Family.UNLIMITED
    windowed = [generated(model, ids, 14) for ids in PROMPTS[:2]]
    running = runner(model)
    seat(running, PROMPTS[:2], [0, 1])
    assert answers(running, [0, 1], 8, 14) == windowed
    running.cache._window = 1000
    seat(running, PROMPTS[:2], [0, 1])
    assert answers(running, [0, 1], 8, 14) != windowed


def test_bytes_of_a_token(tiny_model: LoadedModel) -> None:
    """Keys and values of every layer: what memory is planned with."""
    running = runner(tiny_model, slots=2)
    taken = sum(layer.keys.nbytes + layer.values.nbytes for layer in running.cache._layers)
    assert token_bytes(tiny_model.model.config.text_config, torch.float) * 2 * 64 == taken
