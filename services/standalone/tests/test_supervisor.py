"""The supervisor with stand-ins: start, self-check, deaths, stop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import psutil
import pytest
from pecia_standalone.ports import PortTaken
from pecia_standalone.screen import Screen
from pecia_standalone.services import Service
from pecia_standalone.settings import Settings
from pecia_standalone.supervisor import Patience, Supervisor

QUICK = Patience(first_pause_s=0.05, longest_pause_s=0.1, steady_after_s=60, most_ends=3)


@contextlib.asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator["asyncio.Task[int]"]:
    """Run it beside the test; at the end it is stopped if it has not ended."""
    task = asyncio.create_task(supervisor.run())
    try:
        yield task
    finally:
        if not task.done():
            supervisor.interrupt()
        await asyncio.wait_for(task, 60)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to happen."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def make(settings: Settings, stand_in: Callable[..., Service]) -> Callable[..., Supervisor]:
    """A supervisor of two stand-ins, `ocr` and `gateway`, with the given plans."""

    def supervisor(ocr: str = "", gateway: str = "") -> Supervisor:
        services = [stand_in("ocr", ocr), stand_in("gateway", gateway, settings.http_port)]
        return Supervisor(settings, services, Screen(settings), patience=QUICK)

    return supervisor


def pids(notes: Path, name: str) -> list[int]:
    """Every process the stand-in has been."""
    return [int(line.split()[2]) for line in notes.read_text().splitlines() if line.startswith(f"{name} pid")]


async def test_check_only_starts_reads_and_stops_in_order(
    make: Callable[..., Supervisor], notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything is said on the way, the gateway stops before what it stands on, and the status is 0."""
    assert await make().run(check_only=True) == 0
    said = capsys.readouterr().out
    assert "ocr      ready after" in said
    assert "TOTAL 77.145" in said
    assert "Self-check passed: 100%" in said
    ended = [line for line in notes.read_text().splitlines() if line.endswith("terminated")]
    assert ended == ["gateway terminated", "ocr terminated"]
    assert not any(psutil.pid_exists(pid) for name in ("ocr", "gateway") for pid in pids(notes, name))


async def test_it_runs_until_interrupted(
    make: Callable[..., Supervisor], notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The addresses are printed when it is ready; an interrupt is a clean end."""
    supervisor = make()
    said = ""

    def greeted() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return "Ctrl-C stops everything." in said

    async with running(supervisor) as task:
        await until(greeted)
        assert not task.done()
        supervisor.interrupt()
        assert await task == 0
    assert "API   http://127.0.0.1:" in said


async def test_a_service_that_dies_at_the_start_ends_everything(
    make: Callable[..., Supervisor], notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last words are shown, the others are stopped, the status is 1."""
    assert await make(ocr="die").run() == 1
    said = capsys.readouterr().err
    assert "ocr ended with exit status 3, before everything was ready" in said
    assert "these are its last words" in said
    assert not any(psutil.pid_exists(pid) for pid in pids(notes, "gateway"))


async def test_a_service_that_dies_later_is_started_again(
    make: Callable[..., Supervisor], notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A running service is killed: the person is told, and a new process takes over."""
    said = ""

    def greeted() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return "Ctrl-C" in said

    async with running(make()) as task:
        await until(greeted)
        os.kill(pids(notes, "ocr")[0], signal.SIGKILL)
        await until(lambda: len(pids(notes, "ocr")) == 2)
        assert not task.done()
    assert task.result() == 0
    assert "ocr was ended by SIGKILL; starting it again in 0 s" in capsys.readouterr().err


async def test_a_service_that_dies_again_and_again_ends_everything(
    make: Callable[..., Supervisor], settings: Settings, notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No endless loop: after the given number of ends it is given up, with status 1."""
    url = f"http://127.0.0.1:{settings.http_port}/die"
    async with running(make()) as task, httpx.AsyncClient() as http:
        said = ""
        while "Ctrl-C" not in said:
            said += capsys.readouterr().out
            await asyncio.sleep(0.02)
        while not task.done():
            with contextlib.suppress(httpx.HTTPError):
                await http.get(url)
            await asyncio.sleep(0.02)
    assert task.result() == 1
    assert len(pids(notes, "gateway")) == QUICK.most_ends + 1
    assert "gateway ended with exit status 4, again and again" in capsys.readouterr().err


async def test_a_sample_that_is_not_read_ends_everything(
    make: Callable[..., Supervisor], capsys: pytest.CaptureFixture[str]
) -> None:
    """An installation that cannot read does not pretend to run."""
    assert await make(gateway="unreadable").run() == 1
    assert "0% of the sample's words came back" in capsys.readouterr().err


async def test_no_engine_is_told(make: Callable[..., Supervisor], capsys: pytest.CaptureFixture[str]) -> None:
    """Services that run without an engine are a failure that names itself."""
    assert await make(gateway="failed").run() == 1
    assert "No engine can read" in capsys.readouterr().err


async def test_what_never_gets_ready_is_named(
    settings: Settings, stand_in: Callable[..., Service], capsys: pytest.CaptureFixture[str]
) -> None:
    """After the time the settings give, the late ones are named."""
    hurried = settings.model_copy(update={"start_timeout_s": 3.0})
    services = [stand_in("ocr", "loading"), stand_in("gateway", port=settings.http_port)]
    assert await Supervisor(hurried, services, Screen(hurried)).run() == 1
    assert "Not ready after 3 s: ocr." in capsys.readouterr().err


async def test_a_stubborn_service_is_killed(
    settings: Settings, stand_in: Callable[..., Service], notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that ignores SIGTERM does not keep the others from stopping; that is no failure of the stop."""
    hurried = settings.model_copy(update={"stop_timeout_s": 0.5})
    services = [stand_in("ocr", "stubborn"), stand_in("gateway", port=settings.http_port)]
    assert await Supervisor(hurried, services, Screen(hurried)).run(check_only=True) == 0
    assert "ocr      killed: it did not stop" in capsys.readouterr().out
    assert not any(psutil.pid_exists(pid) for pid in pids(notes, "ocr"))


async def test_a_second_interrupt_kills(
    make: Callable[..., Supervisor], notes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever presses Ctrl-C twice does not wait for what is stubborn."""
    supervisor = make(ocr="stubborn")
    said = ""
    async with running(supervisor) as task:
        while "Ctrl-C" not in said:
            said += capsys.readouterr().out
            await asyncio.sleep(0.02)
        supervisor.interrupt()
        await until(lambda: "ocr terminated" in notes.read_text())
        supervisor.interrupt()
        async with asyncio.timeout(15):
            assert await task == 0


async def test_what_a_service_started_dies_with_it(make: Callable[..., Supervisor], notes: Path) -> None:
    """Its session is swept: no grandchild holds ports or memory afterwards."""
    assert await make(ocr="child").run(check_only=True) == 0
    (line,) = [line for line in notes.read_text().splitlines() if "grandchild" in line]
    await until(lambda: not psutil.pid_exists(int(line.split()[2])))


async def test_a_taken_port_starts_nothing(make: Callable[..., Supervisor], settings: Settings) -> None:
    """The ports are asked for before any process is."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", settings.http_port)
    async with server:
        with pytest.raises(PortTaken, match="gateway needs it"):
            await make().run()


async def test_logs_are_files_and_verbose_shows_them(
    settings: Settings, stand_in: Callable[..., Service], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each service has its file; with verbose its lines stand on standard error, named."""
    services = [stand_in("ocr"), stand_in("gateway", port=settings.http_port)]
    await Supervisor(settings, services, Screen(settings), verbose=True).run(check_only=True)
    assert "ocr says hello" in (settings.logs / "ocr.log").read_text()
    assert "gateway | gateway says hello" in capsys.readouterr().err


async def test_keys_without_a_key_leave_the_check_out(
    settings: Settings,
    stand_in: Callable[..., Service],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With keys on and none given the sample cannot be read; that is said, not failed."""
    with_keys = settings.model_copy(update={"keys_file": tmp_path / "keys.toml", "api_key": None})
    services = [stand_in("ocr"), stand_in("gateway", port=settings.http_port)]
    assert await Supervisor(with_keys, services, Screen(with_keys)).run(check_only=True) == 0
    assert "Self-check left out: keys are on." in capsys.readouterr().out
