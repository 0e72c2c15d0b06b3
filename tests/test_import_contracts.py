"""The import contracts hold, and would notice: each violation here breaks the contract it should."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [
    "protos/gen/pecia",
    "libs/core/pecia_core",
    "libs/client/pecia_client",
    "libs/dispatch/pecia_dispatch",
    "libs/fetch/pecia_fetch",
    "libs/identity/pecia_identity",
    "libs/models/pecia_models",
    "libs/wall/pecia_wall",
    "libs/jobs/pecia_jobs",
    "services/ocr/pecia_ocr",
    "services/gateway/pecia_gateway",
    "services/ui/pecia_ui",
    "services/worker/pecia_worker",
    "services/operator/pecia_operator",
    "services/standalone/pecia_standalone",
]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of every package, side by side, that a test may spoil."""
    for package in PACKAGES:
        source = ROOT / package
        shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def lint_imports(house: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter of imports over a copy of the packages."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-cache", "--config", str(ROOT / ".importlinter")]
    environment = {**os.environ, "PYTHONPATH": str(house), "COLUMNS": "200"}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=house, env=environment, timeout=120
    )


def test_contracts_hold(house: Path) -> None:
    """The tree as it stands keeps every contract."""
    result = lint_imports(house)
    assert result.returncode == 0, result.stdout


VIOLATIONS = [
    ("pecia_ocr/pipeline.py", "import pecia_gateway", "Services never import each other"),
    ("pecia_gateway/intake/data_url.py", "import pecia_gateway.routes.ocr", "gateway reads top to bottom"),
    ("pecia_ocr/engines/tesseract/engine.py", "import pecia_ocr.engines.rapid", "engines do not know"),
    ("pecia_ocr/engines/deepseek/views.py", "import torch", "what a model is, is shown and has said"),
    ("pecia_ocr/engines/deepseek/odds.py", "", "the deepseek engine reads top to bottom"),
    ("pecia_core/formats/plain.py", "import httpx", "pure steps touch no network"),
    ("pecia_gateway/rendering.py", "from pecia.ocr.v1 import ocr_pb2", "generated stubs are seen only"),
    ("pecia_ui/__init__.py", "import pecia_core.document", "the UI is a REST client"),
    ("pecia_ocr/decoding/encoded.py", "import onnxruntime", "inference libraries stay"),
    ("pecia_gateway/pages.py", "import pypdfium2", "only pecia_core.pdf opens a PDF"),
    ("pecia_gateway/auth.py", "import httpx", "only the guarded fetcher"),
    ("pecia_worker/review.py", "import openai", "only the guarded fetcher"),
    ("pecia_gateway/intake/parts.py", "from redis.asyncio import Redis", "only the guarded fetcher"),
    ("pecia_ocr/pipeline.py", "import pecia_ocr.scheduling.worker", "the service never imports"),
    ("pecia_operator/rollout.py", "import lightkube", "the operator decides with pure functions"),
    ("pecia_operator/names.py", "import pecia_operator.status", "the operator reads top to bottom"),
    ("pecia_gateway/odds_and_ends.py", "", "gateway reads top to bottom"),
]


@pytest.mark.parametrize(("path", "line", "contract"), VIOLATIONS)
def test_contract_notices(house: Path, path: str, line: str, contract: str) -> None:
    """One forbidden import, or one module that nobody placed, breaks the contract that forbids it."""
    with (house / path).open("a") as module:
        module.write(f"\n{line}\n")
    result = lint_imports(house)
    assert result.returncode != 0
    broken = [text for text in result.stdout.splitlines() if text.startswith(contract) and "BROKEN" in text]
    assert broken, result.stdout
