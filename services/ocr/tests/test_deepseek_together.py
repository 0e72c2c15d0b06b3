"""Several pages in one request of the model in this process, on a small checkpoint that says it can."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pecia_core.document import Block
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Delta, RecognizeOptions, Sampling, Usage
from pecia_core.vocabulary import BlockKind, FinishReason, ModelSize, TaskType
from pecia_ocr.engines.base import CancelToken, EngineEvent, Finished
from pecia_ocr.engines.deepseek import rehearsal
from pecia_ocr.engines.deepseek.division import by_page
from pecia_ocr.engines.deepseek.engine import DeepseekEngine
from pecia_ocr.engines.deepseek.loader import LoadedModel, load_model
from pecia_ocr.engines.deepseek.profiles import Family, NGram
from pecia_ocr.engines.deepseek.scheduler import Scheduler, SchedulerLimits
from pecia_ocr.engines.deepseek.tickets import Request
from pecia_ocr.engines.deepseek.transcript import NextPage

BASE_TOKENS = 273


@pytest.fixture(scope="module")
def folder(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small checkpoint under the name of one that reads several pages."""
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path_factory.mktemp("several") / "unlimited"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": ["UnlimitedOCRForCausalLM"], "sliding_window": 64}
    config["max_position_embeddings"] = 4096
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> LoadedModel:
    """Loaded."""
    model = load_model(folder, dtype=torch.float)
    assert model.profile.family is Family.UNLIMITED
    return model


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[DeepseekEngine]:
    """Loaded, two slots, four pages together."""
    engine = DeepseekEngine(folder=str(folder), device="cpu", slots=2, max_tokens=24, pages_together=4)
    engine.load(lambda _: None)
    yield engine
    assert engine._ready is not None
    engine._ready.scheduler.close()


@pytest.mark.engine
def test_pages_are_given_to_the_model_as_transformers_does(model: LoadedModel) -> None:
    """Token for token what transformers generates from the same pictures, beside a request of one page."""
    profile = model.profile
    pages = [rehearsal.page(profile, ModelSize.BASE, seed) for seed in (1, 2, 3)]
    placeholders = [profile.image_token_id] * sum(plan.image_tokens for _, plan in pages)
    assert len(placeholders) == 3 * BASE_TOKENS
    together = Request([profile.bos_token_id, *placeholders, 12, 13], tuple(pages), max_new_tokens=16)
    swapped = Request(together.ids, (pages[1], pages[0], pages[2]), max_new_tokens=16)
    alone = rehearsal.shown(model, ModelSize.BASE, 1, max_new_tokens=16)
    requests = [together, alone, swapped]
    scheduler = Scheduler(model, SchedulerLimits(slots=3, max_length=1024))
    try:
        tickets = [scheduler.submit(request) for request in requests]
        said = [rehearsal.said(ticket) for ticket in tickets]
    finally:
        scheduler.close()
    assert said == [rehearsal.generated(model, request) for request in requests]
    assert said[0] != said[2]


@pytest.mark.engine
def test_pages_are_read_and_counted(engine: DeepseekEngine) -> None:
    """A page it does not come to is left for others, a blank one is not shown."""
    assert engine.info.pages_together == 4
    blank = np.full((200, 100, 3), 255, np.uint8)
    pages = [blank, rehearsal.noise(256, 1), rehearsal.noise(256, 2)]
    options = RecognizeOptions(task_type=TaskType.MARKDOWN, sampling=Sampling(max_tokens=9))
    events = list(engine.read_together(pages, options, CancelToken()))
    ends = [event for event in events if isinstance(event, Finished)]
    assert events[0] == ends[0] == Finished()
    assert len(ends) == 2
    assert ends[1].finish_reason in {FinishReason.LENGTH, FinishReason.STOP}
    usage = ends[1].usage
    assert usage is not None
    assert usage.image_tokens == BASE_TOKENS
    assert BASE_TOKENS < usage.prompt_tokens < BASE_TOKENS + 40
    assert 0 < usage.completion_tokens <= 9
    assert list(engine.read_together([blank] * 3, options, CancelToken())) == [Finished()] * 3


@pytest.mark.engine
def test_what_is_said_twice_is_looked_for_farther_back(engine: DeepseekEngine, model: LoadedModel) -> None:
    """Over several pages more is compared than over one, and the sampler has room for that."""
    assert model.profile.widest_ngram == NGram(35, 1024)
    assert engine._ready is not None
    rounds = engine._ready.scheduler._rounds
    assert rounds.runner.options.ngram == NGram(35, 1024)


def test_an_answer_is_divided_among_its_pages() -> None:
    """Blank ones have their turn, and those behind the last that was written have none."""
    block = Block(BlockKind.PARAGRAPH, Polygon.from_bbox(BBox(0, 0, 1, 1)), (), 0, content="b")
    end = Finished(FinishReason.LENGTH, Usage(9, 8, 7))
    said: list[EngineEvent | NextPage] = [Delta("a"), NextPage(), Delta("b"), block, end]
    divided = list(by_page(said, [False, True, False, False, True, False, True, False]))
    assert divided == [
        *(Finished(), Delta("a"), Finished()),
        *(Finished(), Finished(), Delta("b"), block, end),
        Finished(),
    ]
    assert list(by_page([], [False, False])) == [Finished(), Finished()]
