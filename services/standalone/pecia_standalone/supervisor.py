"""Starts the services, says when they work, keeps them running, and stops them in order.

A service that ends before all have been ready ends everything: something is wrong with the machine or
the settings. Later it is started again, after 1, 2, 4 ... 30 seconds; one that ends six times
without running a minute in between ends everything too.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import httpx

from pecia_standalone.child import Child
from pecia_standalone.logs import LogFile
from pecia_standalone.papers import authority, keep_renewed
from pecia_standalone.pinned import only
from pecia_standalone.ports import check_free
from pecia_standalone.probes import engines, until_ready
from pecia_standalone.sample import read_sample
from pecia_standalone.screen import Screen
from pecia_standalone.services import Service, api_url
from pecia_standalone.settings import Settings

_TELL_EVERY_S = 10.0


class ServiceDied(Exception):
    """A service ended and is not started again; the screen has said so."""


class NotReady(Exception):
    """The services took too long or cannot read; says which."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When to start a service again (seconds), and when to give up."""

    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    steady_after_s: float = 60.0
    most_ends: int = 5

    def pause_s(self, ends: int) -> float:
        """Seconds after this many ends without steady running in between."""
        return min(self.first_pause_s * 2.0 ** (ends - 1), self.longest_pause_s)


class Supervisor:
    """Everything on one machine, from start to stop."""

    def __init__(
        self,
        settings: Settings,
        services: list[Service],
        screen: Screen,
        *,
        verbose: bool = False,
        patience: Patience | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            settings: of the supervisor.
            services: in the order in which they stand on each other.
            screen: told what happens.
            verbose: show the services' logs as well.
            patience: with services that end.
        """
        self._settings = settings
        self._services = services
        self._screen = screen
        self._verbose = verbose
        self._patience = patience or Patience()
        self._children: list[Child] = []
        self._all_ready = False
        self._stop = asyncio.Event()

    def interrupt(self) -> None:
        """Stop in order; called again, stop at once."""
        if not self._stop.is_set():
            self._stop.set()
            return
        for child in self._children:
            child.kill()

    async def run(self, *, check_only: bool = False) -> int:
        """Start, check, keep running until interrupted, stop; gives the exit status.

        Args:
            check_only: stop after the self-check.

        Raises:
            PortTaken: before anything is started.
        """
        check_free(self._services)
        self._settings.logs.mkdir(parents=True, exist_ok=True)
        self._children = [Child(service, self._log(service)) for service in self._services]
        self._screen.starting(self._children)
        works = [*(self._keep(child) for child in self._children), self._live(check_only=check_only)]
        if self._settings.secure:
            authority(self._settings).renew()
            works.append(keep_renewed(self._settings))
        failure = await self._first_failure(*works)
        if isinstance(failure, ServiceDied):
            pass  # the screen showed its last words already
        elif failure is not None:
            self._screen.failed(str(failure))
        await self._stop_all()
        return 0 if failure is None else 1

    async def _first_failure(self, *works: Coroutine[Any, Any, None]) -> Exception | None:
        """Run all until one ends or the stop comes; the rest is cancelled."""
        tasks = [asyncio.create_task(work) for work in (*works, self._until_stop())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        failures = [task.exception() for task in done if not task.cancelled()]
        return next((failure for failure in failures if isinstance(failure, Exception)), None)

    async def _until_stop(self) -> None:
        await self._stop.wait()
        self._screen.stopping()

    async def _live(self, *, check_only: bool) -> None:
        began = _now()
        trusted = only(self._settings.cert_file) or True
        async with httpx.AsyncClient(trust_env=False, verify=trusted) as http:
            await self._until_ready(http)
            self._all_ready = True
            listed = await engines(api_url(self._settings), http)
        self._screen.engines(listed)
        if not any(engine.state == "ready" for engine in listed):
            raise NotReady(f"No engine can read; the log of the ocr service is in {self._settings.logs}.")
        await self._check(began)
        if not check_only:
            self._screen.addresses()
            await asyncio.Event().wait()

    async def _until_ready(self, http: httpx.AsyncClient) -> None:
        waits = [asyncio.create_task(self._one_ready(child, http)) for child in self._children]
        try:
            await asyncio.wait_for(asyncio.gather(*waits), self._settings.start_timeout_s)
        except TimeoutError as late:
            missing = [
                child.service.name
                for child, wait in zip(self._children, waits, strict=True)
                if wait.cancelled()
            ]
            raise NotReady(
                f"Not ready after {self._settings.start_timeout_s:.0f} s: {', '.join(missing)}. "
                f"The logs are in {self._settings.logs}."
            ) from late

    async def _one_ready(self, child: Child, http: httpx.AsyncClient) -> None:
        began = _now()
        ready = asyncio.create_task(until_ready(child.service, http))
        try:
            while not (await asyncio.wait([ready], timeout=_TELL_EVERY_S))[0]:
                self._screen.waiting(child.service.name, _now() - began, child)
        finally:
            ready.cancel()
        self._screen.ready(child.service.name, _now() - began)

    async def _check(self, began: float) -> None:
        key = self._settings.api_key.get_secret_value() if self._settings.api_key else None
        if self._settings.keys_file and not key:
            self._screen.unchecked()
            return
        tls = only(self._settings.cert_file)
        checked = await asyncio.to_thread(read_sample, api_url(self._settings), key, tls)
        self._screen.checked(checked, _now() - began)

    async def _keep(self, child: Child) -> None:
        ends = 0
        while True:
            began = _now()
            await child.start()
            status = await child.wait()
            if not self._all_ready:
                self._screen.died(child, status, reason="before everything was ready")
                raise ServiceDied
            ends = 1 if _now() - began > self._patience.steady_after_s else ends + 1
            if ends > self._patience.most_ends:
                self._screen.died(child, status, reason="again and again")
                raise ServiceDied
            pause = self._patience.pause_s(ends)
            self._screen.restarting(child, status, pause)
            await asyncio.sleep(pause)

    async def _stop_all(self) -> None:
        for child in reversed(self._children):
            in_time = await child.stop(self._settings.stop_timeout_s)
            self._screen.stopped(child, in_time=in_time)
            child.log.close()

    def _log(self, service: Service) -> LogFile:
        echo = (lambda line: self._screen.echo(service.name, line)) if self._verbose else None
        return LogFile(self._settings.logs / f"{service.name}.log", echo=echo)


def _now() -> float:
    return asyncio.get_running_loop().time()
