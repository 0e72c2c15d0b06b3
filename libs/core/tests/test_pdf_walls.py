"""From inside the process that has a PDF open: what it is, what it holds, and what it cannot do."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from pecia_core.errors import EngineFailed, InvalidDocument
from pecia_core.pdf import PdfRenderer, RenderLimits, frames, process
from pecia_core.pdf.frames import Opened
from pecia_core.pdf.source import Source
from pecia_core.sample_pdf import digital_pdf, prose

TAKEN_OVER = Path(__file__).with_name("taken_over.py")
GOOD = digital_pdf(prose())
DEEDS = Path(__file__).parents[2] / "wall/tests/deeds.py"
NAMES = [
    line.split()[1].partition("(")[0]
    for line in DEEDS.read_text().splitlines()
    if line.startswith("def ") and not line.startswith("def _")
]
# Programs and libraries; memory of its own; the document.
CODE = (sys.base_prefix, sys.prefix, "/usr/lib", "/lib", "/dev/zero", "/memfd:", "[")


def renderers() -> list[psutil.Process]:
    """Every process of ours that draws, whoever started it."""
    return [one for one in psutil.Process().children(recursive=True) if draws(one)]


def draws(one: psutil.Process) -> bool:
    """Whether it is a renderer and lives."""
    with suppress(psutil.NoSuchProcess):
        return (
            one.status() != psutil.STATUS_ZOMBIE
            and {"pecia_core.pdf.child", str(TAKEN_OVER)} & {*one.cmdline()} != set()
        )
    return False


@pytest.fixture
async def taken_over(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PdfRenderer]:
    """A renderer whose one child does what passwords say, two seconds a page."""
    monkeypatch.setattr(process, "_PROGRAM", ("-I", str(TAKEN_OVER)))
    async with PdfRenderer(limits=RenderLimits(page_timeout_s=2.0)) as renderer:
        yield renderer


@pytest.mark.parametrize("deed", NAMES)
async def test_a_document_that_takes_its_process_over_is_alone_in_there(
    taken_over: PdfRenderer, deed: str
) -> None:
    """Whatever it tries fails, costs its page alone, and the next document is drawn."""
    before = await taken_over.render(GOOD, 0, 72)
    with pytest.raises(InvalidDocument):
        await taken_over.render(GOOD, 0, 72, password=deed)
    assert (await taken_over.render(GOOD, 0, 72)).jpeg == before.jpeg
    async with asyncio.timeout(10):
        while len(renderers()) > 1:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("deed", [name for name in NAMES if name != "loop"])
async def test_each_of_these_deeds_succeeds_where_there_are_no_walls(deed: str) -> None:
    """What the test above sees fail is the wall's work, not a mistake of the deed."""
    program = await asyncio.create_subprocess_exec(sys.executable, str(DEEDS), deed)
    assert await program.wait() == 0


async def test_nothing_of_ours_is_in_the_processes_that_open_pdfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment, no file, no socket but the one line; mapped are code, memory and the document."""
    monkeypatch.setenv("PECIA_SECRET", "sesame")
    async with PdfRenderer() as renderer, renderer.open(GOOD) as document:
        await document.render(0, 72)
        waiting, reading = sorted(renderers(), key=lambda one: one.pid)
        for one in (waiting, reading):
            place = Path(f"/proc/{one.pid}")
            assert (place / "environ").read_bytes() == b""
            held = {str(path.readlink()) for path in (place / "fd").iterdir()}
            ours = ("pipe:", "socket:", "/dev/null", *(["/memfd:pdf"] if one is reading else []))
            assert all(name.startswith(tuple(ours)) for name in held), held
            assert len([name for name in held if name.startswith("socket:")]) == 1
            mapped = {line.split(maxsplit=5)[5] for line in _lines(place / "maps") if len(line.split()) > 5}
            outside = {name for name in mapped if not name.startswith(CODE)}
            assert not outside
            assert "Seccomp:\t2" in (place / "status").read_text()
            assert "NoNewPrivs:\t1" in (place / "status").read_text()


async def test_a_document_has_a_process_of_its_own() -> None:
    """Two documents one after the other are opened by two processes, which the same child has started."""
    seen = []
    async with PdfRenderer() as renderer:
        for _ in range(2):
            async with renderer.open(GOOD) as document:
                await document.render(0, 72)
                seen.append(sorted(one.pid for one in renderers()))
    (first, reader), (again, other) = seen
    assert first == again
    assert reader != other


async def test_an_answer_that_an_earlier_document_left_behind_is_not_taken() -> None:
    """A process that was taken over can write ahead; what it wrote lacks the word of the next document."""
    child = await process.Child.start(RenderLimits())
    await child.ready(30.0)
    source = Source.of(GOOD, None)
    try:
        said = await child.open(source)
        assert isinstance(said, Opened)
        forged = Opened(99, said.token)
        child._send = lambda *_: None  # type: ignore[method-assign]
        child._process.stdout.feed_data(frames.head(forged))  # type: ignore[union-attr]
        with pytest.raises(process.ChildGone):
            await child.open(source)
    finally:
        source.close()
        await child.end()


async def test_where_all_walls_are_required_a_kernel_without_them_draws_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine whose kernel has no Landlock is played by a program that is told so."""
    program = tmp_path / "bare.py"
    program.write_text(
        "from pecia_wall import landlock\nlandlock.version = lambda: 0\n"
        "from pecia_core.pdf import child\nchild.main()\n"
    )
    monkeypatch.setattr(process, "_PROGRAM", ("-I", str(program)))
    async with PdfRenderer(limits=RenderLimits(wall_required=True)) as renderer:
        with pytest.raises(EngineFailed, match="does not start"):
            await renderer.page_count(GOOD)
    async with PdfRenderer() as renderer:
        assert await renderer.page_count(GOOD) == 1


async def test_killed_readers_are_buried_by_a_service_that_is_the_first_process() -> None:
    """In a container orphans become the service's; a thousand killed pages must not fill its table."""
    program = (
        "import asyncio, ctypes, psutil; from pecia_core.pdf import PdfRenderer\n"
        "from pecia_core.sample_pdf import digital_pdf, prose\n"
        "ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"
        "async def main():\n"
        "    renderer = PdfRenderer()\n"
        "    async with renderer.open(digital_pdf(prose())) as document:\n"
        "        await document.render(0, 72)\n"
        "        assert len(psutil.Process().children(recursive=True)) == 2\n"
        "        await renderer.close()\n"
        "    print(len(psutil.Process().children(recursive=True)))\n"
        "asyncio.run(main())"
    )
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await service.communicate()
    assert said == b"0\n"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
