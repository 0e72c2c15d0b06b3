"""Small bodies that are large once they are read."""

import asyncio
import json
from time import perf_counter
from typing import Any

import pytest


@pytest.mark.parametrize(
    "crowd", ["[]", "{}", "0", '{"role":"user","content":"x"}', '{"type":"text"}', "[[[[0]]]]"]
)
async def test_a_crowd_is_refused_before_it_is_read(gateway: Any, crowd: str) -> None:
    """Five megabytes of nothing: others are answered meanwhile."""
    content = ",".join([crowd] * (5_000_000 // (len(crowd) + 1)))
    body = f'{{"messages":[{{"role":"user","content":[{content}]}}]}}'
    sending = asyncio.create_task(gateway.client.post("/v1/chat/completions", content=body))
    slowest = 0.0
    while not sending.done():
        began = perf_counter()
        await gateway.client.get("/live")
        slowest = max(slowest, perf_counter() - began)
    answer = await sending
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert slowest < 5


async def test_a_long_conversation_is_no_crowd(gateway: Any, chat: Any) -> None:
    """A thousand messages before the picture, and a picture of megabytes, are read."""
    talk = [
        {"role": "user", "content": "And this one, please?"},
        {"role": "assistant", "content": "A, b: [c]"},
    ]
    body = chat()
    body["messages"] = talk * 1000 + body["messages"]
    assert (await gateway.client.post("/v1/chat/completions", json=body)).status_code == 200


async def test_most_values_that_pass_are_quickly_refused(gateway: Any) -> None:
    """Just under the bound, all of them wrong."""
    body = json.dumps({"messages": [[]] * 24_000}, separators=(",", ":"))
    began = perf_counter()
    answer = await gateway.client.post("/v1/chat/completions", content=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages[0]")
    assert perf_counter() - began < 5
