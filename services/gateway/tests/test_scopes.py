"""What a key may be used for: every route says it, and a key without it is refused by name."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import RouteContext, iter_route_contexts
from pecia_core.keys import KeyWish, Scope, make_key, snippet_of
from pecia_dispatch.testing import ScriptedOcr
from pecia_gateway.access import OPEN, scopes_of
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings
from pecia_identity.keys_file import KeysFile

FRAMEWORK = {"/openapi.json", "/docs-assets"}


def write_keys(path: Path, **wishes: tuple[Scope, ...]) -> dict[str, str]:
    """A keys file, and the keys by their tenants."""
    made = {tenant: make_key(KeyWish(tenant, scopes=scopes)) for tenant, scopes in wishes.items()}
    path.write_text("".join(snippet_of(record) for _, record in made.values()))
    return {tenant: key for tenant, (key, _) in made.items()}


def bearer(key: str) -> dict[str, str]:
    """As a header."""
    return {"authorization": f"Bearer {key}"}


def guarded() -> Iterator[RouteContext]:
    """Every route that is not open."""
    for route in iter_route_contexts(create_app(Settings()).routes):
        if route.path not in OPEN | FRAMEWORK:
            yield route


def test_no_route_is_without_a_scope() -> None:
    """HEAD, addresses of older days and new ones alike: whoever adds a route has to say it."""
    silent = [(route.path, route.methods) for route in guarded() if not scopes_of(route)]
    assert silent == []
    assert {scope for route in guarded() for scope in scopes_of(route)} == set(Scope)
    assert sum(1 for _ in guarded()) > 40


async def test_every_route_refuses_a_key_without_its_scope(
    start: Any, ocr: ScriptedOcr, tmp_path: Path
) -> None:
    """Each is called with keys that have every scope but its own: 403, and the code says which is missing."""
    path = tmp_path / "keys.toml"
    keys = write_keys(path, ocr=(Scope.OCR,), jobs=(Scope.JOBS,), admin=(Scope.ADMIN,))
    async with start(ocr, auth={"keys_file": path}) as gateway:
        for route in guarded():
            wanted = scopes_of(route)
            address = str(route.path).format(
                job_id="a.pdf_20251121_120000_0123abcd",
                number=1,
                delivery_id="x",
                model_id="auto",
                tenant="t",
                name="figure-1.jpg",
            )
            for method in sorted(route.methods or ()):
                for scope in set(Scope) - set(wanted):
                    answer = await gateway.client.request(method, address, headers=bearer(keys[scope]))
                    assert answer.status_code == 403, (method, address, scope)
                    if method != "HEAD":
                        error = answer.json()["error"]
                        assert error["code"] == f"missing_scope_{wanted[0]}"
                        assert error["type"] == "permission_error"
                    assert keys[scope] not in answer.text
    assert ocr.seen == []


async def test_a_key_with_the_scope_is_let_in(
    start: Any, ocr: ScriptedOcr, tmp_path: Path, chat: Any
) -> None:
    """Models are listed to whoever reads pages or makes jobs."""
    path = tmp_path / "keys.toml"
    keys = write_keys(path, ocr=(Scope.OCR,), jobs=(Scope.JOBS,))
    async with start(ocr, auth={"keys_file": path}) as gateway:
        answer = await gateway.client.post("/v1/chat/completions", json=chat(), headers=bearer(keys["ocr"]))
        assert answer.status_code == 200
        for key in keys.values():
            assert (await gateway.client.get("/v1/models", headers=bearer(key))).status_code == 200


async def test_an_expired_key_is_told_so(start: Any, ocr: ScriptedOcr, tmp_path: Path, chat: Any) -> None:
    """401 with the moment, and nothing of the key."""
    past = datetime.now(UTC) - timedelta(hours=1)
    key, record = make_key(KeyWish("acme", expires=past))
    (tmp_path / "keys.toml").write_text(snippet_of(record))
    async with start(ocr, auth={"keys_file": tmp_path / "keys.toml"}) as gateway:
        answer = await gateway.client.post("/v1/chat/completions", json=chat(), headers=bearer(key))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert f"expired at {past:%Y-%m-%d}" in answer.json()["error"]["message"]
    # A part may be a single character by chance.
    assert not any(part in answer.text for part in key.split("_")[1:] if len(part) > 4)


def test_the_document_names_the_scopes(tmp_path: Path) -> None:
    """Where keys are on, each operation says what its key needs; either of two is enough for models."""
    made = create_app(Settings.model_validate({"auth": {"keys_file": tmp_path / "keys.toml"}})).openapi()
    assert made["paths"]["/v1/jobs"]["get"]["security"] == [{"ApiKey": ["jobs"]}]
    assert made["paths"]["/v1/models"]["get"]["security"] == [{"ApiKey": ["ocr"]}, {"ApiKey": ["jobs"]}]
    assert made["paths"]["/v1/tenants/{tenant}"]["delete"]["security"] == [{"ApiKey": ["admin"]}]


@pytest.mark.parametrize("wrong", ["", "Bearer wrong", "Basic YTpi"])
async def test_admin_routes_need_a_key_where_keys_are_on(
    start: Any, ocr: ScriptedOcr, tmp_path: Path, wrong: str
) -> None:
    """No tenant is shown or deleted without one."""
    path = tmp_path / "keys.toml"
    write_keys(path, ocr=(Scope.OCR,))
    async with start(ocr, auth={"keys_file": path}) as gateway:
        headers = {"authorization": wrong} if wrong else {}
        for method, address in (("GET", "/v1/keys"), ("DELETE", "/v1/tenants/acme")):
            answer = await gateway.client.request(method, address, headers=headers)
            assert answer.status_code == 401
    assert ocr.forgotten == []


async def test_without_keys_nobody_is_an_operator(start: Any, ocr: ScriptedOcr, tmp_path: Path) -> None:
    """A page in some browser could otherwise delete everything on the machine of who opened it."""
    async with start(ocr, audit={"file": str(tmp_path / "audit.jsonl")}) as gateway:
        for method, address in (
            ("GET", "/v1/keys"),
            ("GET", "/v1/tenants/default"),
            ("DELETE", "/v1/tenants/a"),
        ):
            answer = await gateway.client.request(method, address)
            assert answer.status_code == 403
            assert "PECIA_AUTH__KEYS_FILE" in answer.json()["detail"]
    assert ocr.forgotten == []
    assert (tmp_path / "audit.jsonl").read_text().count("missing_scope_admin") == 3


async def test_keys_rotate_under_load(start: Any, ocr: ScriptedOcr, tmp_path: Path, chat: Any) -> None:
    """The new key is used as soon as it is there, and the former revoked: no call fails."""
    file = KeysFile(tmp_path / "keys.toml")
    wish = KeyWish("acme", "app")
    current, _ = file.create(wish)
    former = current
    statuses: list[int] = []
    ending = False
    async with start(ocr, auth={"keys_file": tmp_path / "keys.toml", "reload_s": 0.05}) as gateway:

        async def call_on() -> None:
            while not ending:
                answer = await gateway.client.post(
                    "/v1/chat/completions", json=chat(), headers=bearer(current)
                )
                statuses.append(answer.status_code)

        callers = [asyncio.create_task(call_on()) for _ in range(3)]
        for _ in range(4):
            former = current
            following, _ = file.create(wish)
            await asyncio.sleep(0.3)  # until every process has looked
            current = following
            await asyncio.sleep(0.5)  # until nobody sends the former one any more
            file.revoke(former.split("_")[1])
        ending = True
        await asyncio.gather(*callers)
        refused = await gateway.client.get("/v1/models", headers=bearer(former))
    assert set(statuses) == {200}
    assert len(statuses) > 20
    assert refused.status_code == 401
