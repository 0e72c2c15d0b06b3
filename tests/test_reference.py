"""docs/API.md and docs/CONFIG.md say what the code says."""

import subprocess
import sys
from pathlib import Path

import pytest
from pecia_core.errors import ERROR_CODES

_ROOT = Path(__file__).parent.parent
_PAGES = {"API.md": "api_reference.py", "CONFIG.md": "settings_reference.py"}


@pytest.mark.parametrize("page", _PAGES)
def test_page_is_up_to_date(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the generator writes is what is committed, whoever's home and environment it runs in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PECIA_HTTP__PORT", "9999")
    script = str(_ROOT / "scripts" / _PAGES[page])
    subprocess.run([sys.executable, script, str(tmp_path / page)], check=True, timeout=120)
    assert (tmp_path / page).read_text() == (_ROOT / "docs" / page).read_text(), "run `make docs`"


def test_every_error_code_is_explained() -> None:
    """Each code has its row: status, retry hint, when, and what to do."""
    rows = (_ROOT / "docs" / "API.md").read_text().splitlines()
    for code in ERROR_CODES:
        (row,) = [row for row in rows if row.startswith(f"| `{code}` |")]
        assert all(cell.strip() for cell in row.strip("|").split(" | "))


def test_the_seeds_names_are_documented() -> None:
    """Whoever comes from the former system finds the old names."""
    page = (_ROOT / "docs" / "CONFIG.md").read_text()
    for name in (
        "OCR_GPU_AUTOFALLBACK",
        "OCR_INFERENCE_TIMEOUT_S",
        "CORS_ORIGINS",
        "MAX_UPLOAD_MB",
        "API_BASE",
    ):
        assert f"`{name}`" in page
