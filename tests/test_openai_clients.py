"""Unmodified clients on the real engine: openai 3.x here, openai 2.x in a process of its own, LangChain."""

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

pytestmark = pytest.mark.engine

_OLD_CLIENT = Path(__file__).parent.parent / "build" / "openai2"
_SCRIPT = """
import base64, os, sys, openai
client = openai.OpenAI(base_url=os.environ["API_BASE"] + "/v1", api_key="any", max_retries=0)
url = "data:image/png;base64," + base64.b64encode(sys.stdin.buffer.read()).decode()
messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
extra = {"model_size": "Gundam"}
reply = client.chat.completions.create(model="deepseek-ocr", messages=messages, extra_body=extra)
assert "TOTAL" in reply.choices[0].message.content, reply
assert reply.ocr["fallback_from"] == "deepseek-ocr", reply.ocr
assert reply._request_id
stream = client.chat.completions.create(
    model="auto", messages=messages, stream=True, stream_options={"include_usage": True})
chunks = list(stream)
deltas = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
assert len(deltas) >= 2 and "TOTAL" in "".join(deltas), deltas
assert chunks[-1].usage.completion_tokens > 0 and not chunks[-1].choices
try:
    client.chat.completions.create(model="gpt-9", messages=messages)
except openai.NotFoundError as error:
    assert error.code == "model_not_found" and error.request_id, error
else:
    raise SystemExit("an unknown model was answered")
print(openai.__version__)
"""


def _run(stack: Any, receipt: bytes, *path: Path) -> str:
    environment = stack.environment | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], input=receipt, capture_output=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_openai_3(stack: Any, receipt: bytes) -> None:
    """Unary, streaming with usage, errors with code and request id."""
    assert _run(stack, receipt).startswith("3.")


def test_openai_2(stack: Any, receipt: bytes) -> None:
    """The same with the former major version."""
    assert _OLD_CLIENT.is_dir(), "run `make install`: it puts openai 2.x there"
    assert _run(stack, receipt, _OLD_CLIENT).startswith("2.")


def test_langchain(stack: Any, receipt: bytes) -> None:
    """ChatOpenAI, unary and streamed; it sends max_completion_tokens."""
    model = ChatOpenAI(
        model="rapid", base_url=f"{stack.url}/v1", api_key=SecretStr("any"), max_completion_tokens=4096
    )
    url = "data:image/png;base64," + base64.b64encode(receipt).decode()
    message = HumanMessage(content=[{"type": "image_url", "image_url": {"url": url}}])
    assert "TOTAL" in str(model.invoke([message]).content)
    assert "TOTAL" in "".join(str(chunk.content) for chunk in model.stream([message]))


def test_errors_have_their_classes(stack: Any) -> None:
    """The client raises what its users catch."""
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key="any", max_retries=0)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "no picture"}])
    assert caught.value.request_id
    assert [model.id for model in client.models.list()]
    assert client.models.retrieve("rapid").id == "rapid"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")
