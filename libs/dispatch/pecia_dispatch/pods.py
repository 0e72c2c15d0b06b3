"""All pods of the ocr service: found by name, looked at every few seconds, picked for a call."""

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import replace
from random import Random

import grpc
from pecia.ocr.v1 import ocr_pb2
from pecia_identity.assertions import Signer, Statement
from pecia_identity.watched import Watched

from pecia_dispatch.addresses import Address, Lookup, look_up, parse_target, resolve
from pecia_dispatch.call import Call
from pecia_dispatch.channel import open_channel, paper_files
from pecia_dispatch.choosing import choose
from pecia_dispatch.credentials import Credentials
from pecia_dispatch.fleet import Fleet
from pecia_dispatch.merging import merged
from pecia_dispatch.pod import Clock, Pod
from pecia_dispatch.settings import OcrSettings
from pecia_dispatch.trouble import trouble

_log = logging.getLogger(__name__)
# Seconds a description is good for: probes and model lists ask far more often than it changes.
_FRESH_S = 1.0
# Seconds between two looks at least, however many calls fail.
_BREATH_S = 0.2
_CLOSE_GRACE_S = 1.0
# What a pod offers is asked for nobody.
_OURSELVES = Call(request_id="describe", tenant="", timeout_s=0.0)


class Pods:
    """The pods behind the target."""

    def __init__(
        self,
        settings: OcrSettings,
        lookup: Lookup = look_up,
        clock: Clock = time.monotonic,
        chance: Random | None = None,
    ) -> None:
        """Look for nobody yet. `chance` draws pods where there are many.

        Raises:
            ValueError: the target is no name:port, or a file holds no certificate or key.
            OSError: a file cannot be read.
        """
        self._settings = settings
        self._endpoints = parse_target(settings.target)
        self._lookup = lookup
        self._clock = clock
        self._chance = chance or Random()  # noqa: S311 - nothing secret
        files = paper_files(settings.tls)
        self._papers = Watched("certificates of the calls to the ocr service", files.there, files.read, 0.0)
        self._shown = self._papers.now()
        self._signer = Signer(settings.assertion)
        self._pods: dict[Address, Pod] = {}
        self._listed: tuple[Pod, ...] = ()  # the same, to draw from
        self._retired: list[Pod] = []
        self._fleet = Fleet()
        self._described_at = float("-inf")
        self._describing = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._resolved = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    @property
    def credentials(self) -> Credentials:
        """What this service's calls show."""
        return Credentials(self._settings.bearer_key.get_secret_value(), self._signer)

    async def found(self) -> tuple[Pod, ...]:
        """The pods there are; the first caller starts the looking."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="pods of the ocr service")
        await self._resolved.wait()
        return self.now()

    def now(self) -> tuple[Pod, ...]:
        """The pods known at this moment."""
        return self._listed

    def look_again(self) -> None:
        """Something is wrong with what is known."""
        self._wanted.set()

    def choose(self, model: str, tried: Collection[Pod]) -> Pod | None:
        """The best pod for a model among those not tried yet."""
        return choose(self.now(), model, tried, self._chance)

    async def fleet(self) -> Fleet:
        """What all pods offer together, at most a second old."""
        try:
            # A name service that hangs must not hang those who ask whether all is well.
            async with asyncio.timeout(2 * self._settings.describe_timeout_s):
                await self.found()
                async with self._describing:
                    if self._clock() - self._described_at > _FRESH_S:
                        await self._describe_all()
        except TimeoutError:
            _log.warning("the ocr service's pods were not found in time")
        return self._fleet

    async def close(self) -> None:
        """Stop looking and drop the connections; calls still running have a moment left."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        everybody = [*self._pods.values(), *self._retired]
        await asyncio.gather(*(pod.channel.close(_CLOSE_GRACE_S) for pod in everybody))

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - the next look may do better, and calls must not wait for it
                _log.exception("looking for the ocr service failed")
            finally:
                self._resolved.set()
            await asyncio.sleep(_BREATH_S)
            try:
                async with asyncio.timeout(self._settings.resolve_interval_s):
                    await self._wanted.wait()
            except TimeoutError:
                pass  # nobody asked: the usual look
            self._wanted.clear()

    async def _look(self) -> None:
        addresses = await resolve(self._endpoints, self._lookup)
        if addresses is not None:
            self._keep(addresses)
        self._renew()
        self._resolved.set()
        async with self._describing:
            await self._describe_all()
        await self._close_retired()

    def _keep(self, addresses: set[Address]) -> None:
        for address in self._pods.keys() - addresses:
            self._retired.append(self._pods.pop(address))
        for address in addresses - self._pods.keys():
            self._pods[address] = self._pod(address)
        self._listed = tuple(self._pods.values())

    def _pod(self, address: Address) -> Pod:
        return Pod(address, open_channel(address, self._settings, self._shown), self._clock)

    def _renew(self) -> None:
        """Show new certificates on new connections; what runs on the old ones ends there."""
        if (papers := self._papers.now()) == self._shown:
            return
        self._shown = papers
        for address, former in tuple(self._pods.items()):
            self._retired.append(former)
            self._pods[address] = self._pod(address)
            self._pods[address].follow(former)
        self._listed = tuple(self._pods.values())

    async def _close_retired(self) -> None:
        """A pod that left the name finishes what it has: its calls must not be cut off."""
        idle = [pod for pod in self._retired if not pod.outstanding]
        self._retired = [pod for pod in self._retired if pod.outstanding]
        for pod in idle:
            await pod.channel.close()

    async def _describe_all(self) -> None:
        pods = tuple(self._pods.values())
        answers = await asyncio.gather(*map(self._describe, pods))
        troubles = [answer for answer in answers if isinstance(answer, str)]
        if not pods:
            troubles = [f"The name {self._settings.target} has no address: look at PECIA_OCR__TARGET."]
        described = [answer for answer in answers if not isinstance(answer, str)]
        self._fleet = replace(merged(described), trouble=next(iter(troubles), ""))
        self._described_at = self._clock()

    async def _describe(self, pod: Pod) -> ocr_pb2.DescribeResponse | str:
        """What it offers, or why that is not known."""
        try:
            answer = await pod.stub.Describe(
                ocr_pb2.DescribeRequest(),
                timeout=self._settings.describe_timeout_s,
                metadata=self.credentials.metadata(_OURSELVES, Statement("", "Describe")),
            )
        except grpc.aio.AioRpcError as failure:
            reason = trouble(failure, self._settings, self._shown)
            if pod.reachable:
                _log.warning(
                    "a pod of the ocr service does not describe itself",
                    extra={"pod": str(pod.address), "status": failure.code().name, "reason": reason},
                )
            pod.unreachable()
            return reason
        pod.described(answer)
        return answer
