"""Watches: changes as they come, bookmarks, and an end when the history is gone or a plug is pulled."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from pecia_operator.testing.objects import ApiFailure, has_labels
from pecia_operator.testing.paths import Target
from pecia_operator.testing.resources import Resource
from pecia_operator.testing.store import Store

_BOOKMARK_S = 0.5


class Watches:
    """All watches of one server; they live in its loop."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        """Nobody watches."""
        self.store = store
        self._loop = loop
        self._changed: set[asyncio.Event] = set()
        self._drop = 0

    def drop(self) -> None:
        """End every watch that runs."""
        self._drop += 1
        self.wake()

    def wake(self) -> None:
        """Something has changed. May be called from any thread."""

        def set_all() -> None:
            for event in self._changed:
                event.set()

        self._loop.call_soon_threadsafe(set_all)

    async def serve(self, request: web.Request, target: Target, *, cut: bool) -> web.StreamResponse:
        """One watch; `cut` ends it after what is known already."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        since = int(request.query.get("resourceVersion") or self.store.version)
        changed, dropped = asyncio.Event(), self._drop
        self._changed.add(changed)
        try:
            while True:
                changed.clear()
                if since < self.store.forgotten:
                    gone = ApiFailure(410, "Expired", f"too old resource version: {since}")
                    await _send(response, "ERROR", status_object(gone))
                    return response
                since = await self._send_changes(response, request, target, since)
                if cut or self._drop != dropped:
                    return response
                await self._pause(response, target.resource, changed)
        except ConnectionError:
            return response
        finally:
            self._changed.discard(changed)

    async def _send_changes(
        self, response: web.StreamResponse, request: web.Request, target: Target, since: int
    ) -> int:
        labels = labels_of(request)
        for change in [change for change in self.store.history if change.version > since]:
            since = change.version
            fits = change.key[:2] == target.resource.key and target.namespace in {"", change.key[2]}
            if fits and has_labels(change.obj, labels):
                await _send(response, change.kind, change.obj)
        return since

    async def _pause(self, response: web.StreamResponse, resource: Resource, changed: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(changed.wait(), _BOOKMARK_S)
        except TimeoutError:
            about = {"apiVersion": resource.group_version, "kind": resource.kind}
            await _send(
                response, "BOOKMARK", {**about, "metadata": {"resourceVersion": str(self.store.version)}}
            )


def labels_of(request: web.Request) -> dict[str, str]:
    """The labels a request selects by."""
    selector = request.query.get("labelSelector", "").replace("==", "=").replace(",", "&")
    return dict(parse_qsl(selector, keep_blank_values=True))


async def _send(response: web.StreamResponse, kind: str, obj: Any) -> None:
    await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")


def status_object(error: ApiFailure) -> dict[str, Any]:
    """An error as Kubernetes words it."""
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "code": error.status,
    }
