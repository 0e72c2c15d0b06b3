"""The store behind HTTP, as kubectl, kopf and lightkube speak it. Runs in a thread and loop of its own."""

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import yaml
from aiohttp import web

from pecia_operator.testing import discovery, tables
from pecia_operator.testing.faults import BROKEN, CONFLICT, DROPPED, INVALID, LOST, SLOW, Chaos, Planned
from pecia_operator.testing.objects import ApiFailure
from pecia_operator.testing.paths import Target, parse_path
from pecia_operator.testing.resources import BUILT_IN, Resource
from pecia_operator.testing.store import Store, Writer
from pecia_operator.testing.watching import Watches, labels_of, status_object

_APPLY = "application/apply-patch+yaml"
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SLOW_S = 0.4


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as rules of a Role see it."""

    user: str
    verb: str
    group: str
    resource: str
    name: str
    status: int


@dataclass
class FakeApi:
    """An API server on a free port of this machine.

    Attributes:
        rules: of a Role for everybody with a bearer token; None = everything is allowed.
        chaos: trouble by chance, for those with a bearer token. Others, kubectl and tests, are spared.
    """

    resources: Sequence[Resource]
    rules: Sequence[Mapping[str, Any]] | None = None
    chaos: Chaos | None = None
    calls: list[Call] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)  # users whose every call goes unanswered
    cut_after: dict[str, int] = field(default_factory=dict)  # the same, after so many more writes

    def __post_init__(self) -> None:
        """Not running yet."""
        self.store = Store([*BUILT_IN, *self.resources])
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._watches = Watches(self.store, self._loop)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.store.listeners.append(self._watches.wake)
        return self

    def __exit__(self, *_: object) -> None:
        self.cut.clear()
        self.drop_watches()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def kubeconfig(self, user: str, namespace: str = "default") -> dict[str, Any]:
        """For somebody whose calls are told apart by this name."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": user, "user": {"token": user}}],
            "contexts": [
                {"name": "fake", "context": {"cluster": "fake", "user": user, "namespace": namespace}}
            ],
        }

    def fail(self, verb: str, plural: str, kind: str, times: int = 1) -> None:
        """Give trouble to the next calls of this kind by those with a token."""
        self.planned.append(Planned(verb, plural, kind, times))

    def drop_watches(self) -> None:
        """End every watch that runs."""
        self._watches.drop()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        known = discovery.answer(request.path, self.store.resources.values())
        if known is not None:
            return _json(known)
        user = request.headers.get("Authorization", "").removeprefix("Bearer ")
        verb, target, trouble = "", None, ""
        try:
            target = parse_path(request.path, self.store.resources)
            verb = _verb(request, target)
            self._allow(user, verb, target)
            trouble = self._trouble(user, verb, target.resource.plural)
            await self._suffer(trouble, user, verb)
            if verb == "watch":
                self._note(user, verb, target, 200)
                return await self._watches.serve(request, target, cut=trouble == DROPPED)
            body, status = self._do(request, verb, target, await request.text())
        except ApiFailure as error:
            body, status = status_object(error), error.status
        if target is None:
            # For kinds it does not know, an API server answers in plain text, with no Status.
            return web.Response(text="404 page not found\n", status=404)
        self._note(user, verb, target, status)
        if trouble == LOST:
            return _json(status_object(ApiFailure(504, "Timeout", "the answer was lost")), 504)
        return _json(body, status)

    def _note(self, user: str, verb: str, target: Target, status: int) -> None:
        resource = "/".join(filter(None, (target.resource.plural, target.subresource)))
        self.calls.append(Call(user, verb, target.resource.group, resource, target.name, status))

    def _allow(self, user: str, verb: str, target: Target) -> None:
        wanted = "/".join(filter(None, (target.resource.plural, target.subresource)))
        if not user or self.rules is None:
            return
        for rule in self.rules:
            fits = target.resource.group in rule["apiGroups"] and wanted in rule["resources"]
            named = rule.get("resourceNames")
            if fits and verb in rule["verbs"] and (not named or target.name in named):
                return
        words = f'{wanted} is forbidden: User "{user}" cannot {verb} resource "{wanted}"'
        raise ApiFailure(403, "Forbidden", f'{words} in API group "{target.resource.group}"')

    def _trouble(self, user: str, verb: str, plural: str) -> str:
        if not user:
            return ""
        for one in self.planned:
            if one.times and one.verb == verb and one.plural == plural:
                one.times -= 1
                return one.kind
        return self.chaos.trouble(verb) if self.chaos else ""

    async def _suffer(self, trouble: str, user: str, verb: str) -> None:
        if verb in _VERBS.values() and user in self.cut_after:
            self.cut_after[user] -= 1
            if self.cut_after[user] < 0:
                self.cut.add(user)
        while user in self.cut:
            await asyncio.sleep(0.02)
        if trouble == SLOW:
            await asyncio.sleep(_SLOW_S)
            raise ApiFailure(504, "Timeout", "request did not complete within the allotted timeout")
        known = {
            CONFLICT: ApiFailure(409, "Conflict", "the object has been modified"),
            INVALID: ApiFailure(422, "Invalid", "admission refused it for no reason"),
            BROKEN: ApiFailure(500, "InternalError", "etcdserver: leader changed"),
            "403": ApiFailure(
                403, "Forbidden", "exceeded quota: compute, requested: pods=1, limited: pods=1"
            ),
        }
        if trouble in known:
            raise known[trouble]

    def _do(self, request: web.Request, verb: str, target: Target, text: str) -> tuple[Any, int]:
        if verb == "list":
            found = self.store.all(target.resource.plural, labels_of(request))
            found = [obj for obj in found if target.namespace in {"", obj["metadata"].get("namespace")}]
            return self._shown(request, target.resource, found, is_list=True), 200
        if verb == "get":
            found_one = self.store.get(target.resource.plural, target.name, target.namespace)
            if found_one is None:
                raise ApiFailure(404, "NotFound", f'{target.resource.plural} "{target.name}" not found')
            return self._shown(request, target.resource, [found_one], is_list=False), 200
        return self._write(request, verb, target, text)

    def _write(self, request: web.Request, verb: str, target: Target, text: str) -> tuple[Any, int]:
        manager = request.query.get("fieldManager", "")
        content = request.headers.get("Content-Type", "").partition(";")[0]
        writer = Writer(
            manager or request.headers.get("User-Agent", "").partition("/")[0], target.subresource
        )
        resource, key = target.resource, target.key
        if verb == "delete":
            return self.store.delete(resource, key), 200
        body = yaml.safe_load(text)
        if verb == "create":
            return self.store.create(resource, target.namespace, body, writer), 201
        if verb == "update":
            return self.store.update(resource, key, body, writer), 200
        if content == _APPLY:
            if not manager:
                raise ApiFailure(400, "BadRequest", "fieldManager is required for apply patch")
            force = request.query.get("force") == "true"
            return self.store.apply(resource, key, body, writer, force=force), 200
        if target.subresource == "scale":
            body, writer = {"spec": body["spec"]}, Writer(writer.manager)
        return self.store.patch(resource, key, body, writer), 200

    def _shown(self, request: web.Request, resource: Resource, found: list[Any], *, is_list: bool) -> Any:
        if "as=Table" in request.headers.get("Accept", ""):
            return tables.table(resource, found, self.store.version)
        if not is_list:
            return found[0]
        metadata = {"resourceVersion": str(self.store.version)}
        kind = {"apiVersion": resource.group_version, "kind": f"{resource.kind}List"}
        return {**kind, "metadata": metadata, "items": found}


def _json(body: object, status: int = 200) -> web.Response:
    """With exactly the content type of an API server: clients compare it as a whole."""
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


def _verb(request: web.Request, target: Target) -> str:
    if request.method != "GET":
        return _VERBS[request.method]
    if request.query.get("watch") in {"true", "1"}:
        return "watch"
    return "get" if target.name else "list"
