"""The stand-in gateway, and what a real one would answer."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from pecia_client.testing import FakeGateway, fake_gateway


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A gateway on a free port."""
    with fake_gateway() as fake:
        yield fake


@pytest.fixture
def chat() -> dict[str, Any]:
    """A chat completion as the gateway answers it."""
    corners = [[10, 20], [90, 20], [90, 40], [10, 40]]
    line = {"text": "Total 4.50", "confidence": 0.98, "polygon": corners, "row": 0, "words": []}
    block = {"kind": "paragraph", "reading_order": 0, "polygon": corners, "lines": [line]}
    page = {"index": 0, "number": 1, "width": 100, "height": 60, "rotation": 0, "blocks": [block]}
    return {
        "id": "chatcmpl-1",
        "model": "rapid",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Total 4.50"}}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 2, "total_tokens": 2},
        "ocr": {
            "engine": "rapid",
            "model": "PP-OCRv5",
            "fallback_from": "deepseek-ocr",
            "attempts": 2,
            "warnings": [{"code": "fallback", "message": "another engine answered"}],
            "finish_reason": "stop",
            "timings": {"engine_ms": 120.5, "total_ms": 130},
            "pages": [page],
        },
    }


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """Processes that run tests side by side ignore Ctrl-C, and what they start would, too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
