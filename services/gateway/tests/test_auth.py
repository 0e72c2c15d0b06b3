"""Keys and limits over the real gateway: who is let in, what they may do, and that no key is repeated."""

import os
from pathlib import Path
from typing import Any

import pytest
from pecia_core.errors import Unauthenticated
from pecia_core.keys import create_key
from pecia_dispatch.testing import ScriptedOcr
from pecia_gateway.auth import Authenticator
from pecia_gateway.settings import AuthSettings
from starlette.requests import Request


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


def _request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


def test_the_gateway_does_not_start_open_by_mistake(tmp_path: Path) -> None:
    """A keys file that is named and cannot be used is no keys file that allows everybody."""
    with pytest.raises(OSError, match=r"absent\.toml"):
        Authenticator(AuthSettings(keys_file=tmp_path / "absent.toml"))
    (tmp_path / "broken.toml").write_text("keys = 1")
    with pytest.raises(ValueError, match="keys file"):
        Authenticator(AuthSettings(keys_file=tmp_path / "broken.toml"))


def test_a_keys_file_that_goes_away_changes_nothing(
    keys: tuple[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """The former keys stay in force; the log says so once, and repeats no key."""
    secret, path = keys
    doors = Authenticator(AuthSettings(keys_file=path, reload_s=0))
    path.unlink()
    for _ in range(3):
        assert doors.authenticate(_request(authorization=f"Bearer {secret}")).tenant == "acme"
    assert len(caplog.records) == 1
    assert secret not in caplog.text


def test_a_file_put_in_the_others_place_is_noticed(keys: tuple[str, Path], tmp_path: Path) -> None:
    """As Kubernetes does with mounted secrets: same size, same time, another file."""
    secret, path = keys
    other, snippet = create_key("ACME")
    doors = Authenticator(AuthSettings(keys_file=path, reload_s=0))
    replacement = tmp_path / "replacement.toml"
    replacement.write_text(snippet)
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    os.utime(replacement, ns=times)
    assert replacement.stat().st_size == path.stat().st_size
    replacement.replace(path)
    assert doors.authenticate(_request(x_api_key=other)).tenant == "ACME"
    with pytest.raises(Unauthenticated):
        doors.authenticate(_request(x_api_key=secret))


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer schl\u00fcssel"},
        {"x_api_key": ""},
        {"cookie": "key=1"},
    ],
)
def test_what_is_no_key(keys: tuple[str, Path], headers: dict[str, str]) -> None:
    """Empty, another scheme, odd letters, another place: 401, never a crash."""
    with pytest.raises(Unauthenticated):
        Authenticator(AuthSettings(keys_file=keys[1])).authenticate(_request(**headers))


def test_a_scheme_without_a_key_of_ours_leaves_room_for_the_other_headers(keys: tuple[str, Path]) -> None:
    """A proxy's Basic does not hide X-Api-Key."""
    request = _request(authorization="Basic YTpi", x_api_key=keys[0])
    assert Authenticator(AuthSettings(keys_file=keys[1])).authenticate(request).tenant == "acme"


def test_a_caller_does_not_show_its_key(keys: tuple[str, Path]) -> None:
    """Not even in a traceback."""
    caller = Authenticator(AuthSettings(keys_file=keys[1])).authenticate(_request(api_key=keys[0]))
    assert caller.bearer == keys[0]
    assert keys[0] not in repr(caller)


def test_without_a_keys_file_everybody_is_one_tenant() -> None:
    """The key a client sends all the same is handed on: the ocr service may know it."""
    caller = Authenticator(AuthSettings()).authenticate(_request(authorization="Bearer sk-none"))
    assert (caller.tenant, caller.key_id, caller.bearer) == ("default", "", "sk-none")
