"""DeepSeek-OCR behind the seam of `engines.base`: many threads ask, one scheduler owns the device.

A page, in this order: blank? -> plan -> views -> prompt -> scheduler -> tokens -> text -> grammar -> blocks.
Several together go the same way in one request, and `division` says whose each block is.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import torch
from pecia_core.errors import EngineFailed, InvalidRequest, Unavailable
from pecia_core.recognition import RecognizeOptions, Usage
from pecia_core.vocabulary import EngineName, FinishReason, ModelSize, Priority, TaskType

from pecia_ocr.cores import usable_cores
from pecia_ocr.engines.base import Broken, CancelToken, EngineEvent, EngineInfo, Finished, Pixels, tenant
from pecia_ocr.engines.deepseek.answer import Answer
from pecia_ocr.engines.deepseek.division import by_page
from pecia_ocr.engines.deepseek.guard import is_blank
from pecia_ocr.engines.deepseek.kv import token_bytes
from pecia_ocr.engines.deepseek.loader import LoadedModel, load_model
from pecia_ocr.engines.deepseek.profiles import DEMO, MODELS, ModelProfile, NGram, demonstrated
from pecia_ocr.engines.deepseek.prompts import multi_page_ids, prompt_ids
from pecia_ocr.engines.deepseek.scheduler import Scheduler, SchedulerLimits
from pecia_ocr.engines.deepseek.tickets import Request
from pecia_ocr.engines.deepseek.transcript import NextPage, Said
from pecia_ocr.engines.deepseek.views import Shown, plan_views, render, size_of

log = logging.getLogger(__name__)

_LOADED = 0.98  # of the progress; the rest is the scheduler's memory
_URGENCY = {Priority.PRIORITY: 0, Priority.DEFAULT: 1, Priority.FLEX: 2}
_WORKSPACE = 2.5e9  # bytes that the vision encoder and the kernels work in
_LONGEST_QUESTION = 1100  # tokens: the words of the prompt, and a thousand characters to locate


@dataclass(frozen=True, slots=True)
class _Ready:
    loaded: LoadedModel
    scheduler: Scheduler


class DeepseekEngine:
    """Reads as many pages at once as it has slots; `read` may be called by as many threads."""

    def __init__(  # noqa: PLR0913 - the settings of an engine, by name, as a frame carries them
        self,
        *,
        folder: str,
        device: str = "auto",
        slots: int = 32,
        max_tokens: int = 4096,
        memory_gb: float = 20.0,
        public_key: str = "",
        demo: bool = False,
        pages_together: int = 4,
        text_every_s: float = 0.0,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            folder: of the checkpoint.
            device: cuda, cpu, or auto = cuda.
            slots: pages that share a decoding step.
            max_tokens: of one answer, where the caller names no fewer.
            memory_gb: of the GPU, at most.
            public_key: PEM of whoever may sign checkpoints; "" = they need no signature.
            demo: it is the small one that comes along, which was taught one size and one task.
            pages_together: that one request may show, at most, to a model that reads several.
            text_every_s: seconds between two pieces of a page's text, at least.
        """
        self._folder = Path(folder)
        self._device = device
        self._slots = slots
        self._max_tokens = max_tokens
        self._memory_gb = memory_gb
        self._public_key = public_key
        self._demo = demo
        self._pages_together = pages_together
        self._text_every_s = text_every_s
        self._models = (DEMO,) if demo else MODELS
        self._ready: _Ready | None = None

    @property
    def info(self) -> EngineInfo:
        """Tasks and sizes are the checkpoint's: known once it is loaded."""
        if self._ready is None:
            return EngineInfo(EngineName.DEEPSEEK, self._models, "", tuple(TaskType))
        profile = self._ready.loaded.profile
        revision = f"{profile.family}-{self._ready.loaded.revision}"
        tasks, sizes = tuple(profile.tasks), tuple(profile.sizes)
        together = self._pages_together if profile.multi_page else 1
        return EngineInfo(EngineName.DEEPSEEK, self._models, revision, tasks, sizes, pages_together=together)

    def load(self, progress: Callable[[float], None]) -> None:
        """Load the checkpoint and set up the slots.

        Raises:
            Unavailable: no GPU, no such checkpoint, or not enough memory.
        """
        device = self._chosen()
        torch.set_num_threads(usable_cores())
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        if device.type == "cuda":
            _cap(device, self._memory_gb)
        loaded = load_model(
            self._folder, device, dtype, lambda part: progress(part * _LOADED), self._public_key
        )
        if self._demo:
            loaded = replace(loaded, profile=demonstrated(loaded.profile))
        prompt = _longest_prompt(loaded.profile, self._pages_together)
        length = min(loaded.profile.max_context, self._max_tokens + prompt)
        slots = (
            _fitting(loaded, self._slots, length, self._memory_gb) if device.type == "cuda" else self._slots
        )
        limits = SchedulerLimits(slots=slots, max_length=length, ngram=loaded.profile.widest_ngram)
        scheduler = Scheduler(loaded, limits)
        scheduler.warm_up(length)
        self._ready = _Ready(loaded, scheduler)
        log.info("Slots set up", extra={"slots": slots, "tokens": length})
        progress(1.0)

    def _chosen(self) -> torch.device:
        if self._device == "cpu":
            return torch.device("cpu")
        if not torch.cuda.is_available():
            raise Unavailable(
                "No GPU is to be seen, and DeepSeek-OCR takes minutes a page without one. To try it all the "
                "same, set PECIA_DEEPSEEK__DEVICE=cpu."
            )
        return torch.device("cuda")

    def read(self, pixels: Pixels, options: RecognizeOptions, cancel: CancelToken) -> Iterator[EngineEvent]:
        """Read one page.

        Raises:
            Interrupted: `cancel` said so; the page's slot is free at the next step.
            Broken: the device is lost.
            PeciaError: what was asked cannot be done, or the device failed.
        """
        ready = self._loaded()
        if is_blank(pixels):
            yield Finished()
            return
        profile = ready.loaded.profile
        page = _shown(pixels, options.model_size, profile)
        tokens = page[1].image_tokens
        ids = prompt_ids(ready.loaded.encode, options.task_type, options.ref_text, tokens, profile)
        request = self._request(profile, ids, (page,), profile.ngram, options)
        answer = Answer(ready.loaded, [size_of(pixels)], options)
        for event in self._said(ready.scheduler, request, answer, cancel):
            if isinstance(event, Finished):
                yield replace(event, usage=Usage(len(ids), tokens, answer.tokens))
            elif not isinstance(event, NextPage):
                yield event

    def read_together(
        self, pages: Sequence[Pixels], options: RecognizeOptions, cancel: CancelToken
    ) -> Iterator[EngineEvent]:
        """Read several pages as one document, in the size the model learnt that with.

        The answer may hold as many tokens as that about one page.

        Raises: as `read`, and `not_together`.
        """
        ready = self._loaded()
        loaded, asked = ready.loaded, ready.loaded.profile.multi_page
        if asked is None:
            raise EngineFailed(f"The model {loaded.profile.family} was asked for several pages together.")
        shown: list[Shown | None] = []
        for page in pages:
            cancel.check()
            shown.append(None if is_blank(page) else _shown(page, asked.size, loaded.profile))
        pictures = tuple(page for page in shown if page)
        if not pictures:
            yield from (Finished(usage=Usage()) for _ in pages)
            return
        tokens = sum(plan.image_tokens for _, plan in pictures)
        ids = multi_page_ids(loaded.encode, tokens, loaded.profile)
        request = self._request(loaded.profile, ids, pictures, asked.ngram, options)
        sizes = [size_of(page) for page, seen in zip(pages, shown, strict=True) if seen]
        answer = Answer(loaded, sizes, options)
        said = self._said(ready.scheduler, request, answer, cancel)
        events = by_page(said, answer.transcript, [page is not None for page in shown])
        yield from _counted(events, shown, len(ids) - tokens, answer)

    def _said(
        self, scheduler: Scheduler, request: Request, answer: Answer, cancel: CancelToken
    ) -> Iterator[Said | Finished]:
        """What the model writes, and why it ends."""
        ticket = scheduler.submit(request)
        cancel.on_cancel(ticket.cancel)
        try:
            for step in ticket.steps(self._text_every_s):
                cancel.check()
                yield from answer.more(step)
                if answer.transcript.is_over:
                    break
        except EngineFailed as error:
            if scheduler.broken is not None:
                raise Broken from error
            raise
        finally:
            ticket.cancel()
        cancel.check()
        yield from answer.transcript.finish()
        yield Finished(answer.transcript.reason or ticket.reason or FinishReason.STOP)

    def _loaded(self) -> _Ready:
        if self._ready is None:
            raise EngineFailed("The DeepSeek-OCR engine was asked before it was loaded.")
        return self._ready

    def _request(
        self,
        profile: ModelProfile,
        ids: list[int],
        pictures: tuple[Shown, ...],
        ngram: NGram | None,
        options: RecognizeOptions,
    ) -> Request:
        sampling = options.sampling
        most = min(sampling.max_tokens or self._max_tokens, self._max_tokens, profile.max_context - len(ids))
        if most < 1:
            raise InvalidRequest(
                f"The page takes {len(ids)} of the model's {profile.max_context} tokens: ask for less.",
                param="model_size",
            )
        return Request(
            ids=ids,
            pictures=pictures,
            max_new_tokens=most,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            repetition_penalty=sampling.repetition_penalty,
            ngram=ngram,
            priority=_URGENCY[options.priority],
            tenant=tenant.get(),
            deadline=None,
        )


def _counted(
    events: Iterator[EngineEvent], shown: Sequence[Shown | None], question: int, answer: Answer
) -> Iterator[EngineEvent]:
    """The same, with the tokens of each page; the first that was shown pays for the question."""
    pages, before = iter(shown), 0
    for event in events:
        if isinstance(event, Finished) and (page := next(pages)):
            own = page[1].image_tokens
            yield replace(event, usage=Usage(question + own, own, answer.tokens - before))
            question, before = 0, answer.tokens
        else:
            yield event


def _shown(pixels: Pixels, size: ModelSize | None, profile: ModelProfile) -> Shown:
    plan = plan_views(*size_of(pixels), size, profile)
    return render(pixels, plan), plan


def _cap(device: torch.device, gigabytes: float) -> None:
    """Take no more of the GPU's memory than allowed."""
    there_is = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gigabytes * 1e9 / there_is), device)


def _fitting(loaded: LoadedModel, wanted: int, length: int, gigabytes: float) -> int:
    """Slots of so many tokens that fit beside the weights.

    Raises:
        Unavailable: not even one does.
    """
    model = loaded.model
    weights = sum(part.numel() * part.element_size() for part in model.parameters())
    room = gigabytes * 1e9 - weights - _WORKSPACE
    slots = min(wanted, int(room // (token_bytes(model.config.text_config, model.dtype) * length)))
    if slots < 1:
        raise Unavailable(
            f"{gigabytes:.0f} GB are too little for this model, whose weights take {weights / 1e9:.1f}: give "
            "more (PECIA_DEEPSEEK__MEMORY_GB), or answers of fewer tokens (PECIA_DEEPSEEK__MAX_TOKENS)."
        )
    return slots


def _longest_prompt(profile: ModelProfile, pages_together: int) -> int:
    """Tokens before the answer, at most, whatever the page's shape and however many pages there are."""
    sides = [side * 640 for side in range(1, profile.max_tiles + 1)]
    pages = [page for page in product(sides, sides) if page[0] * page[1] <= profile.max_tiles * 640**2]
    plans = (plan_views(*page, size, profile) for page in pages for size in profile.sizes)
    several = profile.multi_page
    together = pages_together * plan_views(640, 640, several.size, profile).image_tokens if several else 0
    return max(together, *(plan.image_tokens for plan in plans)) + _LONGEST_QUESTION
