"""The processes behind PDFs: confined, bounded, replaced, and gone when they should be."""

import asyncio
import os
import resource
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from pecia_core.errors import InvalidDocument, Unavailable
from pecia_core.pdf import PdfRenderer, RenderLimits, frames
from pecia_core.pdf.process import Child, ChildGone

# Far more than it takes, for machines that do much else.
_SOON_S = 40.0


def children() -> list[psutil.Process]:
    """Processes of ours that have PDFs drawn, zombies left out; those they start end with them."""
    return [child for child in psutil.Process().children(recursive=True) if is_first(child)]


def is_first(process: psutil.Process) -> bool:
    """Whether it is a renderer that no renderer has started."""
    try:
        parent = process.parent()
    except psutil.NoSuchProcess:
        return False
    return is_renderer(process) and not (parent and is_renderer(parent))


def readers() -> list[psutil.Process]:
    """The processes that have a document open, one each."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if is_renderer(process) and not is_first(process)
    ]


def is_renderer(process: psutil.Process) -> bool:
    """Whether it runs the child's module and lives."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "pecia_core.pdf.child" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


async def the_child() -> psutil.Process:
    """The only child, as soon as there is one."""
    async with asyncio.timeout(_SOON_S):
        while not (found := children()):
            await asyncio.sleep(0.01)
    (child,) = found
    return child


async def working_child() -> psutil.Process:
    """The only process that has a document open, as soon as it computes."""
    async with asyncio.timeout(_SOON_S):
        while not (busy := [reader for reader in readers() if used_s(reader) > 0.6]):
            await asyncio.sleep(0.02)
    (reader,) = busy
    return reader


def used_s(process: psutil.Process) -> float:
    """Seconds of the processor; 0 where it has ended."""
    try:
        return process.cpu_times().user
    except psutil.NoSuchProcess:
        return 0.0


async def gone(process: psutil.Process) -> float:
    """Seconds until the process is no more; after a while it is ended here, so that no test leaves it."""
    began = time.monotonic()
    while is_renderer(process):
        await asyncio.sleep(0.005)
        if time.monotonic() - began > _SOON_S / 4:
            process.kill()
    return time.monotonic() - began


@pytest.fixture
def plain_pdf(pdf_of: Callable[..., bytes]) -> bytes:
    """A page with a square."""
    return pdf_of(b"0 0 0 rg 50 50 100 100 re f")


class TestPool:
    async def test_nothing_runs_before_it_is_needed(self, plain_pdf: bytes) -> None:
        """A gateway that never sees a PDF never has a child; after the first, it keeps it."""
        async with PdfRenderer() as renderer:
            assert children() == []
            await renderer.page_count(plain_pdf)
            first = await the_child()
            await renderer.render(plain_pdf, 0, 72)
            assert await the_child() == first
        assert children() == []

    async def test_there_are_never_more_children_than_allowed(self, plain_pdf: bytes) -> None:
        """Twenty calls at once share two children, and all are answered."""
        async with PdfRenderer(processes=2) as renderer:
            calls = [asyncio.create_task(renderer.render(plain_pdf, 0, 72)) for _ in range(20)]
            most = 0
            while not all(call.done() for call in calls):
                most = max(most, len(children()))
                await asyncio.sleep(0.005)
            assert len({(await call).jpeg for call in calls}) == 1
            assert most == 2

    async def test_callers_never_get_each_others_pages(self, pdf_of: Callable[..., bytes]) -> None:
        """Sixty pages of different sizes through two children, some calls given up: each gets its own."""
        sizes = [(100 + number, 90) for number in range(60)]
        async with PdfRenderer(processes=2) as renderer:
            calls = [
                asyncio.create_task(renderer.render(pdf_of(b"0 0 9 9 re f", size=size), 0, 72))
                for size in sizes
            ]
            await asyncio.sleep(0.4)
            for number in range(0, 60, 7):
                calls[number].cancel()
            pages = await asyncio.gather(*calls, return_exceptions=True)
        for size, page in zip(sizes, pages, strict=True):
            if not isinstance(page, BaseException):
                assert (page.width, page.height) == size
        assert sum(isinstance(page, asyncio.CancelledError) for page in pages) <= 9
        assert not any(isinstance(page, Exception) for page in pages)

    async def test_a_child_is_replaced_after_its_share(self, plain_pdf: bytes) -> None:
        """What the library loses from page to page does not add up for ever."""
        async with PdfRenderer(limits=RenderLimits(max_calls=2)) as renderer:
            pids = []
            for _ in range(5):
                await renderer.page_count(plain_pdf)
                pids.append(max(child.pid for child in renderer._children) if renderer._children else 0)
            assert len({pid for pid in pids if pid}) == 3
            assert pids[1] == pids[3] == 0


class TestConfinement:
    async def test_a_child_holds_nothing_of_ours(self, plain_pdf: bytes) -> None:
        """No environment, no file or socket of the parent, a session of its own."""
        async with PdfRenderer() as renderer:
            await renderer.page_count(plain_pdf)
            pid = (await the_child()).pid
            assert Path(f"/proc/{pid}/environ").read_bytes() == b""
            assert os.getsid(pid) == pid
            held = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
            assert all(name.startswith(("pipe:", "socket:")) or name == "/dev/null" for name in held), held
            assert len([name for name in held if name.startswith("socket:")]) == 1

    async def test_a_child_is_limited_by_the_kernel(self, plain_pdf: bytes) -> None:
        """Memory, processor time, files and core dumps have hard limits."""
        limits = RenderLimits(memory_bytes=700 << 20, page_timeout_s=5)
        async with PdfRenderer(limits=limits) as renderer:
            await renderer.page_count(plain_pdf)
            pid = (await the_child()).pid
            assert resource.prlimit(pid, resource.RLIMIT_AS) == (700 << 20, 700 << 20)
            assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
            assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
            assert resource.prlimit(pid, resource.RLIMIT_CPU)[0] <= 5 + 2

    async def test_a_child_that_is_slow_to_start_is_asked_for_later(self, plain_pdf: bytes) -> None:
        """A busy machine is not blamed on the document, and leaves no half-started process."""
        async with PdfRenderer(limits=RenderLimits(start_timeout_s=0.001)) as renderer:
            with pytest.raises(Unavailable, match="too long to start") as refused:
                await renderer.page_count(plain_pdf)
        assert refused.value.retry_after == 0.001
        assert children() == []


class TestAccidents:
    async def test_a_cancelled_call_frees_its_child_at_once(
        self, endless_pdf: bytes, plain_pdf: bytes
    ) -> None:
        """Within 200 ms (a second here: the machine may be busy) nothing draws any more."""
        async with PdfRenderer() as renderer:
            call = asyncio.create_task(renderer.render(endless_pdf, 0, 72))
            child = await working_child()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await gone(child) < 1.0
            assert await renderer.page_count(plain_pdf) == 1

    async def test_a_cancelled_start_leaves_nothing(self, plain_pdf: bytes) -> None:
        """Whenever a caller goes away, before, during or after the start of a child, nothing is left."""
        for delay in (0.0, 0.001, 0.003, 0.01, 0.05, 0.15):
            async with PdfRenderer() as renderer:
                call = asyncio.create_task(renderer.page_count(plain_pdf))
                await asyncio.sleep(delay)
                call.cancel()
                await asyncio.wait([call])
            assert children() == []

    async def test_a_call_that_waits_for_its_turn_can_be_cancelled(
        self, endless_pdf: bytes, plain_pdf: bytes
    ) -> None:
        """It gives up its turn and disturbs nobody."""
        async with PdfRenderer() as renderer:
            first = asyncio.create_task(renderer.render(endless_pdf, 0, 72))
            await working_child()
            waiting = asyncio.create_task(renderer.page_count(plain_pdf))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert not first.done()
            first.cancel()
            await asyncio.wait([first])
            assert await renderer.page_count(plain_pdf) == 1

    async def test_a_child_that_stands_still_is_given_up(self, plain_pdf: bytes) -> None:
        """A stopped process neither reads nor answers; only the clock can tell."""
        async with PdfRenderer(limits=RenderLimits(page_timeout_s=1.0)) as renderer:
            await renderer.page_count(plain_pdf)
            child = await the_child()
            child.suspend()
            with pytest.raises(InvalidDocument, match="longer than 1 s"):
                await renderer.page_count(plain_pdf)
            assert await gone(child) < 5.0
            assert await renderer.page_count(plain_pdf) == 1

    async def test_a_child_killed_while_idle_costs_nobody_anything(self, plain_pdf: bytes) -> None:
        """The kernel may take an idle child for its memory."""
        async with PdfRenderer() as renderer:
            await renderer.page_count(plain_pdf)
            child = await the_child()
            child.kill()
            assert await renderer.page_count(plain_pdf) == 1

    async def test_a_child_killed_at_work_is_replaced_once(self, endless_pdf: bytes) -> None:
        """The call goes on in a second child; when that dies as well, the document is at fault."""
        async with PdfRenderer() as renderer:
            call = asyncio.create_task(renderer.render(endless_pdf, 0, 72))
            first = await working_child()
            first.kill()
            assert await gone(first) < 5.0
            second = await working_child()
            assert second.pid != first.pid
            second.kill()
            with pytest.raises(InvalidDocument, match="breaks the program") as refused:
                await call
            assert refused.value.code == "invalid_pdf"

    @pytest.mark.parametrize(
        "said",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"Segmentation fault", id="text"),
            pytest.param(b"\xff" * 64, id="a frame longer than any"),
            pytest.param(b"\0\0\0\5\0\0\0\0\x80\x04K\x01.", id="a pickle"),
            pytest.param(frames.head(frames.Drawn(1, 1, 72.0), 10) + b"short", id="half a frame"),
        ],
    )
    async def test_a_child_that_speaks_nonsense_is_not_believed(self, said: bytes) -> None:
        """What does not parse as an answer is no answer, and never anything worse."""
        program = f"import sys; sys.stdin.buffer.read(8); sys.stdout.buffer.write({said!r})"
        ours, its = socket.socketpair()
        with its:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", program, stdin=its.fileno(), stdout=PIPE
            )
        child = Child(process, ours)
        with pytest.raises(ChildGone):
            await child.ask(frames.Render(0, 72.0, 1))
        await child.end()


class TestEnd:
    async def test_closing_stops_calls_and_leaves_no_process(
        self, endless_pdf: bytes, plain_pdf: bytes
    ) -> None:
        """Calls at work and calls that wait both learn that this process goes away."""
        renderer = PdfRenderer()
        calls = [asyncio.create_task(renderer.render(endless_pdf, 0, 72)) for _ in range(3)]
        await working_child()
        await renderer.close()
        assert children() == []
        for call in calls:
            with pytest.raises(Unavailable) as refused:
                await call
            assert refused.value.code == "draining"
        with pytest.raises(Unavailable):
            await renderer.page_count(plain_pdf)
        await renderer.close()

    @pytest.mark.parametrize("delay", [0.0, 0.002, 0.02, 0.1])
    async def test_closing_during_a_start_leaves_no_process(self, plain_pdf: bytes, delay: float) -> None:
        """Whenever it happens, a child that was just being made ends too."""
        renderer = PdfRenderer()
        call = asyncio.create_task(renderer.page_count(plain_pdf))
        await asyncio.sleep(delay)
        await renderer.close()
        assert children() == []
        with pytest.raises(Unavailable):
            await call

    @pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
    async def test_kill_9_of_the_parent_leaves_no_child(
        self, busy: bool, endless_pdf: bytes, plain_pdf: bytes, tmp_path: Path
    ) -> None:
        """The kernel ends the children of a parent that had no time for it, even in the middle of a page."""
        (tmp_path / "page.pdf").write_bytes(endless_pdf if busy else plain_pdf)
        program = (
            "import asyncio, sys; from pathlib import Path; from pecia_core.pdf import PdfRenderer\n"
            "async def main():\n"
            "    renderer = PdfRenderer()\n"
            "    await renderer.render(Path(sys.argv[1]).read_bytes(), 0, 72)\n"
            "    await asyncio.sleep(60)\n"
            "asyncio.run(main())"
        )
        path = str(tmp_path / "page.pdf")
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, path)
        child = await working_child() if busy else await the_child()
        os.kill(parent.pid, signal.SIGKILL)
        await parent.wait()
        assert await gone(child) < 5.0

    async def test_a_child_ends_with_its_stdin(self) -> None:
        """Where the kernel does not tell of a parent's death, the end of the pipe does."""
        child = await Child.start(RenderLimits())
        await child.ready(_SOON_S)
        child._requests.close()
        async with asyncio.timeout(_SOON_S):
            assert await child._process.wait() == 0

    async def test_a_child_without_its_parent_does_not_start(self) -> None:
        """A parent that died before the child looked for it is noticed as well."""
        command = (sys.executable, "-m", "pecia_core.pdf.child", "1", str(1 << 30), "5", "any")
        orphan = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        said, _ = await orphan.communicate()
        assert (said, orphan.returncode) == (b"", 1)

    async def test_ctrl_c_is_the_parents_to_decide(self, plain_pdf: bytes) -> None:
        """An interrupt of the terminal does not break a page under way."""
        async with PdfRenderer() as renderer:
            await renderer.page_count(plain_pdf)
            child = await the_child()
            child.send_signal(signal.SIGINT)
            assert await renderer.page_count(plain_pdf) == 1
            assert await the_child() == child
