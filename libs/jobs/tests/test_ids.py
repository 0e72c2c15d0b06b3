"""Names of jobs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_jobs.ids import is_job_id, new_job_id, slug_of

_NOON = 1_763_726_400.0  # 2025-11-21 12:00:00 UTC


def test_a_job_is_named_for_its_file_and_time() -> None:
    """The form existing clients know, with an end that nobody can guess."""
    name = new_job_id("document.pdf", _NOON)
    assert re.fullmatch(r"document\.pdf_20251121_120000_[0-9a-f]{8}", name)
    assert new_job_id("document.pdf", _NOON) != name


@pytest.mark.parametrize(
    ("filename", "slug"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\scan 1.pdf", "scan1.pdf"),
        ("..", "document"),
        ("", "document"),
        ("\x00\r\n\x1b[31m.pdf", "31m.pdf"),
        ("Überweisung ä.pdf", "Uberweisunga.pdf"),
        ("文档.pdf", "pdf"),
        ("a..b...pdf", "a.b.pdf"),
        ("x" * 500 + ".pdf", "x" * 44 + ".pdf"),
        ("." + "y" * 500, "y" * 48),
        ("<script>alert(1)</script>.png", "script.png"),
    ],
)
def test_only_letters_digits_and_dots_are_left(filename: str, slug: str) -> None:
    """No path, no control character and no markup gets into a name."""
    assert slug_of(filename) == slug


@given(st.text(max_size=300), st.floats(min_value=0, max_value=4e9))
def test_every_file_gives_a_good_name(filename: str, now: float) -> None:
    """Whatever the file is called, the name is one that `is_job_id` knows and that fits into 80 letters."""
    name = new_job_id(filename, now)
    assert is_job_id(name)
    assert len(name) <= 80


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "../x_20251121_120000_0123abcd",
        "x/y_20251121_120000_0123abcd",
        "x_20251121_120000_0123ABCD",
        "x_20251121_120000_0123abcd\n",
        ".x_20251121_120000_0123abcd",
        "x" * 49 + "_20251121_120000_0123abcd",
    ],
)
def test_anything_else_is_no_name(text: str) -> None:
    """What comes from outside is looked at before it becomes part of a key."""
    assert not is_job_id(text)
