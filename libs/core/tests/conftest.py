"""How hypothesis makes documents: `st.from_type(Page)` and the like, in every test of this folder."""

from hypothesis import settings
from hypothesis import strategies as st
from pecia_core.document import Block, Document, Line, Page, Word
from pecia_core.geometry import BBox, Point, Polygon
from pecia_core.recognition import (
    Delta,
    Notice,
    Recognition,
    RecognizeOptions,
    Sampling,
    Started,
    Timings,
    Usage,
)
from pecia_core.vocabulary import BlockKind, FinishReason, ModelSize, Priority, TaskType

# Machines that run the tests are shared: a slow example is no failure, and examples do not change by chance.
settings.register_profile("pecia", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("pecia")

# The contract carries coordinates and confidences as 32-bit floats.
_coordinates = st.floats(-1e5, 1e5, width=32)
_confidences = st.none() | st.floats(0.0, 1.0, width=32)
_counts = st.integers(0, 2**31 - 1)
_milliseconds = st.floats(0, 1e9)
_texts = st.text(max_size=20)


def _box(xs: tuple[float, float], ys: tuple[float, float]) -> BBox:
    return BBox(min(xs), min(ys), max(xs), max(ys))


_pairs = st.tuples(_coordinates, _coordinates)
_polygons = st.lists(_pairs, min_size=3, max_size=6).map(Polygon.of)
_words = st.builds(Word, _texts, _polygons, _confidences)
_lines = st.builds(Line, _texts, _polygons, _confidences, st.lists(_words, max_size=2).map(tuple), _counts)
_blocks = st.builds(
    Block,
    st.sampled_from(BlockKind),
    _polygons,
    st.lists(_lines, max_size=3).map(tuple),
    _counts,
    _confidences,
    _texts,
    _texts,
)
_pages = st.builds(
    Page,
    _counts,
    _counts,
    st.lists(_blocks, max_size=3).map(tuple),
    st.integers(0, 2**31 - 2),
    st.sampled_from((0, 90, 180, 270)),
)
_sampling = st.builds(
    Sampling,
    temperature=st.floats(0, 2, width=32),
    max_tokens=_counts,
    top_p=st.none() | st.floats(0, 1, width=32),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    stop=st.lists(_texts, max_size=2).map(tuple),
    repetition_penalty=st.none() | st.floats(0, 2, width=32),
)
_recognitions = st.builds(
    Recognition,
    page=_pages,
    text=_texts,
    engine=_texts,
    model=_texts,
    finish_reason=st.sampled_from(FinishReason),
    fallback_from=_texts,
    attempts=_counts,
    warnings=st.lists(st.builds(Notice, _texts, _texts), max_size=2).map(tuple),
    timings=st.builds(Timings, _milliseconds, _milliseconds, _milliseconds, _milliseconds),
    usage=st.builds(Usage, _counts, _counts, _counts),
)
_options = st.builds(
    RecognizeOptions,
    model=st.text(min_size=1, max_size=20),
    task_type=st.sampled_from(TaskType),
    model_size=st.none() | st.sampled_from(ModelSize),
    ref_text=_texts,
    languages=st.lists(_texts, max_size=2).map(tuple),
    sampling=_sampling,
    priority=st.sampled_from(Priority),
    page_index=_counts,
)

for kind, strategy in (
    (Point, _pairs.map(lambda pair: Point(*pair))),
    (BBox, st.builds(_box, _pairs, _pairs)),
    (Polygon, _polygons),
    (Word, _words),
    (Line, _lines),
    (Block, _blocks),
    (Page, _pages),
    (Document, st.builds(Document, st.lists(_pages, max_size=2).map(tuple))),
    (Started, st.builds(Started, _texts, _texts, _milliseconds)),
    (Delta, st.builds(Delta, _texts, st.none() | _lines)),
    (Recognition, _recognitions),
    (RecognizeOptions, _options),
):
    st.register_type_strategy(kind, strategy)  # type: ignore[arg-type]  a tuple of many types
