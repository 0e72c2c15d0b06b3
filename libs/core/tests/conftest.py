"""How hypothesis makes documents (`st.from_type(Page)` and the like), and PDFs made by hand."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from pecia_core.document import Block, Document, Line, Page, Word
from pecia_core.geometry import BBox, Point, Polygon
from pecia_core.recognition import (
    Delta,
    Figure,
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
settings.register_profile("pecia", deadline=None, derandomize=True, max_examples=40)
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
    annotated_png=st.binary(max_size=20),
    figures=st.lists(
        st.builds(Figure, _texts, _counts, _counts, _counts, st.binary(max_size=20)), max_size=2
    ).map(tuple),
    agreement=st.none() | st.floats(0, 1, width=32),
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
    annotate=st.booleans(),
    figures=st.booleans(),
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
    st.register_type_strategy(kind, strategy)


@pytest.fixture(scope="session")
def pdf_of() -> Callable[..., bytes]:
    """Makes a PDF of one page from its content; see `_pdf`."""
    return _pdf


@pytest.fixture(scope="session")
def endless_pdf() -> bytes:
    """A kilobyte that works for weeks in a few megabytes: tiles a thousandth of a point apart."""
    tile = b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] "
    tile += b"/XStep 0.001 /YStep 0.001 /Resources << >>"
    return _pdf(
        b"/Pattern cs /P scn 0 0 200 200 re f",
        page=b"/Resources << /Pattern << /P 5 0 R >> >>",
        more=[_stream(tile, b"1 0 0 rg 0 0 1 1 re f")],
    )


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n" % (entries, len(data)) + data + b"\nendstream"


def _pdf(
    content: bytes = b"",
    size: tuple[float, float] = (200, 200),
    page: bytes = b"",
    more: list[bytes] | None = None,
    **parts: bytes,
) -> bytes:
    """A PDF of one page.

    Args:
        content: what is drawn, as the page's content stream (object 4).
        size: points.
        page: more entries of the page's dictionary.
        more: more objects, from number 5.
        parts: `filter` of the content, more entries of `catalog`.
    """
    box = b"/MediaBox [0 0 %d %d]" % size
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % parts.get("catalog", b""),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R %s /Contents 4 0 R %s >>" % (box, page),
        _stream(parts.get("filter", b""), content),
        *(more or []),
    ]
    data = bytearray(b"%PDF-1.4\n")
    table = b"0000000000 65535 f \n"
    for number, body in enumerate(objects, start=1):
        table += b"%010d 00000 n \n" % len(data)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, count = len(data), len(objects) + 1
    data += b"xref\n0 %d\n%strailer\n" % (count, table)
    data += b"<< /Size %d /Root 1 0 R >>\n" % count
    data += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(data)
