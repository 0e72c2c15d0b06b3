"""Keys and limits over the real gateway: who is let in, what they may do, and that no key is repeated."""

import os
from pathlib import Path
from typing import Any

import pytest
from pecia_core.keys import create_key
from pecia_gateway.ocr_client.testing import ScriptedOcr


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, Path]:
    """A key of tenant acme, and the file that knows its hash."""
    secret, snippet = create_key("acme")
    path = tmp_path / "keys.toml"
    path.write_text(snippet)
    return secret, path


@pytest.mark.parametrize(
    "header",
    ["authorization: Bearer {}", "Authorization: token {}", "x-api-key: {}", "api-key: {}"]
    + ["Ocp-Apim-Subscription-Key: {}"],
)
async def test_a_known_key_is_let_in(
    start: Any, ocr: ScriptedOcr, keys: tuple[str, Path], chat: Any, header: str
) -> None:
    """However the client sends it; the tenant travels to the ocr service."""
    secret, path = keys
    name, _, value = header.partition(": ")
    async with start(ocr, auth={"keys_file": path}) as gateway:
        headers = {name: value.format(secret)}
        answer = await gateway.client.post("/v1/chat/completions", json=chat(), headers=headers)
    assert answer.status_code == 200
    assert int(answer.headers["x-ratelimit-remaining-requests"]) < int(
        answer.headers["x-ratelimit-limit-requests"]
    )
    assert ocr.seen[0].metadata["x-pecia-tenant"] == "acme"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wr0ng-key"}, {"x-api-key": "wr0ng-key"}])
async def test_an_unknown_key_is_refused_and_not_repeated(
    start: Any, ocr: ScriptedOcr, keys: tuple[str, Path], chat: Any, headers: dict[str, str]
) -> None:
    """401 in OpenAI's shape; health needs no key."""
    async with start(ocr, auth={"keys_file": keys[1]}) as gateway:
        answer = await gateway.client.post("/v1/chat/completions", json=chat(), headers=headers)
        assert (await gateway.client.get("/live")).status_code == 200
        assert (await gateway.client.get("/health")).status_code == 200
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert "wr0ng" not in answer.text
    assert ocr.seen == []


async def test_a_key_has_a_rate(start: Any, ocr: ScriptedOcr, keys: tuple[str, Path], chat: Any) -> None:
    """The third request of two a minute hears when to come back."""
    secret, path = keys
    lines = [line for line in path.read_text().splitlines() if not line.startswith("requests_per_minute")]
    path.write_text("\n".join([*lines, "requests_per_minute = 2"]))
    async with start(ocr, auth={"keys_file": path}) as gateway:
        headers = {"authorization": f"Bearer {secret}"}
        answers = [
            await gateway.client.post("/v1/chat/completions", json=chat(), headers=headers) for _ in range(3)
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60


async def test_changed_keys_are_taken_in(
    start: Any, ocr: ScriptedOcr, keys: tuple[str, Path], chat: Any
) -> None:
    """A broken file keeps the former keys; a good one counts from then on."""
    secret, path = keys
    other, snippet = create_key("other")
    async with start(ocr, auth={"keys_file": path, "reload_s": 0}) as gateway:

        async def status(key: str) -> int:
            headers = {"authorization": f"Bearer {key}"}
            answer = await gateway.client.post("/v1/chat/completions", json=chat(), headers=headers)
            return int(answer.status_code)

        path.write_text("not = [toml")
        os.utime(path, ns=(1, 1))
        assert await status(secret) == 200
        path.write_text(snippet)
        assert (await status(secret), await status(other)) == (401, 200)
