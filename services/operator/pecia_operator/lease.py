"""The lease that keeps two operators from acting at once (coordination.k8s.io)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from pecia_core.errors import PeciaError

from pecia_operator.cluster import Cluster
from pecia_operator.kinds import LEASE
from pecia_operator.model import Object
from pecia_operator.settings import LeaseSettings

_log = logging.getLogger(__name__)


class Lease:
    """Lets one of many act.

    Whoever holds it renews it every `retry_s`. It acts until `renew_s` after its last renewal, and others
    take over `duration_s` after the last one they saw, by their own clocks: between the two, nobody acts.
    """

    def __init__(self, cluster: Cluster, settings: LeaseSettings, identity: str) -> None:
        """Nothing is held."""
        if settings.renew_s >= settings.duration_s:
            raise ValueError("PECIA_LEASE__RENEW_S must be below PECIA_LEASE__DURATION_S")
        self._cluster = cluster
        self._settings = settings
        self._identity = identity
        self._last_seen: tuple[object, float] = (None, 0.0)
        self.held = False

    async def hold(self, act: Callable[[], Awaitable[None]]) -> None:
        """Act whenever the lease is held, until cancelled; then give it back."""
        try:
            while True:
                await self._take()
                _log.info("Lease taken", extra={"lease": self._settings.name})
                await self._act_while_held(act)
                _log.warning("Lease lost; nothing is done until it is taken again")
        finally:
            await self._give_back()

    async def _take(self) -> None:
        while not await self._try_once():  # noqa: ASYNC110  an API server is asked, nobody tells
            await asyncio.sleep(self._settings.retry_s)
        self.held = True

    async def _act_while_held(self, act: Callable[[], Awaitable[None]]) -> None:
        """Until a renewal is overdue. What is being done then is cancelled where it stands."""
        acting = asyncio.ensure_future(act())
        keeping = asyncio.create_task(self._keep())
        try:
            await asyncio.wait((acting, keeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.held = keeping.cancel()  # lost, if it has ended by itself
            acting.cancel()
            await asyncio.gather(keeping, acting, return_exceptions=True)
        if acting.done() and not acting.cancelled() and (error := acting.exception()):
            raise error

    async def _keep(self) -> None:
        """Renew, until that has not worked for `renew_s`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.renew_s
        while True:
            await asyncio.sleep(min(self._settings.retry_s, max(0.0, deadline - loop.time())))
            asked = loop.time()
            try:
                async with asyncio.timeout_at(deadline):
                    renewed = await self._try_once()
            except TimeoutError:
                return
            if renewed:
                deadline = asked + self._settings.renew_s
            elif self._holder_is_another() or loop.time() >= deadline:
                return

    async def _try_once(self) -> bool:
        """Take or renew it; whether it is ours now."""
        try:
            read = await self._cluster.get(LEASE, self._settings.name)
            if read is None:
                made = await self._cluster.create(self._manifest({}))
                return made is not None
            self._look_at(read)
            if self._holder_is_another() and not self._has_lapsed():
                return False
            return await self._cluster.replace(self._manifest(read)) is not None
        except PeciaError as error:
            _log.warning("The lease cannot be renewed", extra={"reason": error.message})
            return False

    def _look_at(self, read: Object) -> None:
        """Remember when it last changed, by this machine's clock: clocks of machines differ."""
        spec = read.get("spec") or {}
        said = (spec.get("holderIdentity") or "", spec.get("renewTime"), spec.get("leaseDurationSeconds"))
        if said != self._last_seen[0]:
            self._last_seen = (said, asyncio.get_running_loop().time())

    def _holder_is_another(self) -> bool:
        said = self._last_seen[0]
        return isinstance(said, tuple) and said[0] not in {"", self._identity}

    def _has_lapsed(self) -> bool:
        said, since = self._last_seen
        duration = said[2] if isinstance(said, tuple) else None
        limit_s = float(duration or self._settings.duration_s)
        return asyncio.get_running_loop().time() - since > limit_s

    def _manifest(self, read: Object, holder: str | None = None) -> Object:
        """The lease, ours from now on. With the version that was read, so that only one of two gets it."""
        spec, now = read.get("spec") or {}, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        holder = self._identity if holder is None else holder
        changed = spec.get("holderIdentity") != holder
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": read.get("metadata") or {"name": self._settings.name},
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": max(1, round(self._settings.duration_s)),
                "renewTime": now,
                "acquireTime": now if changed else spec.get("acquireTime", now),
                "leaseTransitions": int(spec.get("leaseTransitions", 0)) + (1 if changed and read else 0),
            },
        }

    async def _give_back(self) -> None:
        """So that the next one need not wait until it lapses; also one that was just being taken."""
        self.held = False
        with suppress(PeciaError, TimeoutError):
            async with asyncio.timeout(self._settings.renew_s):  # after that it has nearly lapsed by itself
                read = await self._cluster.get(LEASE, self._settings.name)
                if read and (read.get("spec") or {}).get("holderIdentity") == self._identity:
                    await self._cluster.replace(self._manifest(read, holder=""))
