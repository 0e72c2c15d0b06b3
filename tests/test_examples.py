"""Every example runs as it stands, against the real services."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.engine

_FOLDER = Path(__file__).parent.parent / "examples"
_DOCUMENTS = {"sample-receipt.png", "sample-report.pdf"}
# The example, and what it must have printed besides the receipt's text.
_EXAMPLES = {
    "curl.sh": ['"object":"list"', '"line_count"', "chat.completion.chunk", "data: [DONE]"],
    "openai_python.py": ["lines on", "tokens", "model_not_found: ", "(request "],
    "grpc_client.py": ["rapid: ", "has begun", "where the lines stand", "unsupported_image_media_type: "],
    "reflection_client.py": ["pecia.ocr.v1.OcrService: Recognize, RecognizeStream, RecognizePages, Describe"],
    "langchain_chat.py": ["and line by line:"],
}


def test_every_example_is_run() -> None:
    """An example that nobody runs would rot."""
    assert {path.name for path in _FOLDER.glob("*.*")} - _DOCUMENTS == set(_EXAMPLES)


@pytest.mark.parametrize("name", _EXAMPLES)
def test_example(name: str, stack: Any, tmp_path: Path) -> None:
    """It succeeds, reads the receipt, and prints what it promises; nothing is printed as an error."""
    path = _FOLDER / name
    command = [sys.executable, str(path)] if path.suffix == ".py" else [str(path)]
    programs = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = stack.environment | {"PATH": os.pathsep.join(programs)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "77.145" in done.stdout
    missing = [promise for promise in _EXAMPLES[name] if promise not in done.stdout]
    assert not missing, done.stdout
    assert done.stderr == ""
