"""Whether services can work, and which engines read: asked over HTTP like anybody would."""

import asyncio
from dataclasses import dataclass

import httpx

from pecia_standalone.services import Service

_INTERVAL_S = 0.2
_PATIENCE_S = 5.0
# Loads torch first, and is there to be looked at: nobody waits for it.
_ASIDE = ("deepseek-ocr-demo",)


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine of the ocr service, its state, why it is not ready, and the models callers know it by."""

    name: str
    state: str
    reason: str
    models: tuple[str, ...] = ()


async def until_ready(service: Service, http: httpx.AsyncClient) -> None:
    """Return when the service answers 200 at its health address and nothing it lists is loading."""
    while not await _can_work(service.ready_url, http):  # noqa: ASYNC110 - another process, which sets no event
        await asyncio.sleep(_INTERVAL_S)


async def engines(api: str, http: httpx.AsyncClient) -> list[Engine]:
    """What /v1/capacity lists; empty where it cannot be asked."""
    try:
        return _listed(await http.get(f"{api}/v1/capacity", timeout=_PATIENCE_S))
    except httpx.HTTPError:
        return []


async def _can_work(url: str, http: httpx.AsyncClient) -> bool:
    try:
        response = await http.get(url, timeout=_PATIENCE_S)
    except httpx.HTTPError:
        return False
    if not url.endswith("/v1/capacity"):
        return response.is_success
    states = {engine.state for engine in _listed(response) if engine.models != _ASIDE}
    return bool(states) and "loading" not in states


def _listed(response: httpx.Response) -> list[Engine]:
    try:
        body = response.json()
    except ValueError:
        return []
    found = body.get("engines") or () if response.is_success and isinstance(body, dict) else ()
    return [
        Engine(
            said.get("name", ""),
            said.get("state", ""),
            said.get("reason") or "",
            tuple(said.get("models") or ()),
        )
        for said in found
    ]
