"""Several pages in one request of the model in this process, on a small checkpoint that says it can."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pecia_core.errors import InvalidRequest
from pecia_core.recognition import Delta, RecognizeOptions, Sampling, Usage
from pecia_core.vocabulary import ModelSize, TaskType
from pecia_ocr.engines.base import CancelToken, EngineEvent, Finished, Interrupted
from pecia_ocr.engines.deepseek import rehearsal
from pecia_ocr.engines.deepseek.division import by_page
from pecia_ocr.engines.deepseek.engine import DeepseekEngine
from pecia_ocr.engines.deepseek.loader import LoadedModel, load_model
from pecia_ocr.engines.deepseek.profiles import PROFILES, Family, NGram
from pecia_ocr.engines.deepseek.scheduler import Scheduler, SchedulerLimits
from pecia_ocr.engines.deepseek.tickets import Request, Step
from pecia_ocr.engines.deepseek.transcript import NextPage, Transcript

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
def test_noise_cannot_be_divided(engine: DeepseekEngine) -> None:
    """What a model that learnt nothing says has no marks; a blank page is not shown."""
    assert engine.info.pages_together == 4
    blank = np.full((200, 100, 3), 255, np.uint8)
    pages = [blank, rehearsal.noise(256, 1), rehearsal.noise(256, 2)]
    options = RecognizeOptions(task_type=TaskType.MARKDOWN, sampling=Sampling(max_tokens=9))
    with pytest.raises(InvalidRequest) as refused:
        list(engine.read_together(pages, options, CancelToken()))
    assert refused.value.code == "pages_not_together"
    assert list(engine.read_together([blank] * 3, options, CancelToken())) == [Finished(usage=Usage())] * 3
    stopped = CancelToken()
    stopped.cancel()
    with pytest.raises(Interrupted):
        list(engine.read_together(pages, options, stopped))


@pytest.mark.engine
def test_tokens_are_each_pages_own(engine: DeepseekEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that was shown pays for the question; what the model wrote is counted where it stands."""
    assert engine._ready is not None
    encode = engine._ready.loaded.encode
    first, second = encode("<PAGE>one two"), encode("<PAGE>three")
    steps = [Step((token,), (-0.1,)) for token in (*first, *second)]
    ticket = SimpleNamespace(cancel=lambda: None, steps=lambda _: iter(steps), reason=None)
    asked: list[Request] = []

    def submit(request: Request) -> SimpleNamespace:
        asked.append(request)
        return ticket

    monkeypatch.setattr(engine._ready.scheduler, "submit", submit)
    blank = np.full((200, 100, 3), 255, np.uint8)
    pages = [rehearsal.noise(256, 1), blank, rehearsal.noise(256, 2)]
    events = list(engine.read_together(pages, RecognizeOptions(), CancelToken()))
    usages = [event.usage for event in events if isinstance(event, Finished)]
    question = len(asked[0].ids) - 2 * BASE_TOKENS
    assert asked[0].ngram == NGram(35, 1024)
    # The mark of the second page is known as such with its last token.
    written = [usage.completion_tokens for usage in usages if usage]
    assert sum(written) == len(steps)
    assert written[1] == 0
    assert usages[0] == Usage(question + BASE_TOKENS, BASE_TOKENS, written[0])
    assert usages[1:] == [Usage(), Usage(BASE_TOKENS, BASE_TOKENS, written[2])]
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "one twothree"


@pytest.mark.engine
def test_what_is_said_twice_is_looked_for_farther_back(engine: DeepseekEngine, model: LoadedModel) -> None:
    """Over several pages more is compared than over one, and the sampler has room for that."""
    assert model.profile.widest_ngram == NGram(35, 1024)
    assert engine._ready is not None
    rounds = engine._ready.scheduler._rounds
    assert rounds.runner.options.ngram == NGram(35, 1024)


def test_an_answer_is_divided_among_its_pages() -> None:
    """Blank ones have their turn where they stand."""
    end, blank = Finished(usage=Usage(9, 8, 7)), Finished(usage=Usage())
    said: list[EngineEvent | NextPage] = [Delta("a"), NextPage(), Delta("b"), end]
    two = Transcript(PROFILES[Family.UNLIMITED], (9, 9), RecognizeOptions(), [(9, 9)])
    list(two.write("<PAGE>a<PAGE>b"))
    divided = list(by_page(said, two, [False, True, False, False, True, False]))
    assert divided == [blank, Delta("a"), blank, blank, blank, Delta("b"), end, blank]
