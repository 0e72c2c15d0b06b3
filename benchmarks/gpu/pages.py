"""A page as the model is given it."""

from dataclasses import dataclass

import numpy as np
from pecia_core.vocabulary import ModelSize, TaskType
from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.prompts import prompt_ids
from pecia_ocr.engines.deepseek.views import ViewPlan, Views, plan_views, render

from benchmarks.gpu.paper import drawn


@dataclass(frozen=True, slots=True)
class Asked:
    """What the model is given for one page."""

    ids: list[int]
    views: Views
    plan: ViewPlan


def pixels(seed: int) -> Pixels:
    """A drawn page as the engine gets it."""
    return np.array(drawn(seed))


def asked(loaded: LoadedModel, size: str, seed: int = 0) -> Asked:
    """A page at a size."""
    page = pixels(seed)
    plan = plan_views(page.shape[1], page.shape[0], ModelSize(size), loaded.profile)
    ids = prompt_ids(loaded.encode, TaskType.FREE_OCR, "", plan.image_tokens, loaded.profile)
    return Asked(ids, render(page, plan), plan)
