"""Long documents: open once, read page by page, and kept by nobody afterwards."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from pecia_core.errors import InvalidDocument
from pecia_core.pdf import PdfRenderer, RenderLimits
from pecia_core.pdf.maker import stream
from pecia_core.pdf.source import Source
from pecia_core.sample_pdf import Parts, digital_pdf, long_pdf, prose, text_at

MEGABYTE = 1 << 20


@pytest.fixture
async def renderer() -> AsyncIterator[PdfRenderer]:
    """Two children."""
    async with PdfRenderer(processes=2) as renderer:
        yield renderer


def thick_pdf(megabytes: int) -> bytes:
    """Thirty pages and something heavy that they do not need."""
    ballast = stream(b"", bytes(megabytes * MEGABYTE))
    return long_pdf([prose()] * 30, Parts(more=(ballast,)))


def kept(pid: int) -> set[str]:
    """Documents that a child, or the process it has for one of them, has open or mapped."""
    with suppress(psutil.NoSuchProcess):
        family = [pid, *(process.pid for process in psutil.Process(pid).children())]
        return {name for each in family for name in kept_by(each)}
    return set()


def kept_by(pid: int) -> set[str]:
    """Those of one process; none of one that is gone meanwhile."""
    if not Path(f"/proc/{pid}").exists():
        return set()
    mapped = {line.split(maxsplit=5)[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()}
    held = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    return {name for name in mapped | held if "memfd:pdf" in name or name.endswith(".pdf")}


def held_here() -> list[str]:
    """What the descriptors of this process lead to."""
    # The first look goes through a descriptor of its own, which is gone by the second.
    links = [link for link in Path("/proc/self/fd").iterdir() if os.path.lexists(link)]
    return [str(link.readlink()) for link in links]


def pids(renderer: PdfRenderer) -> list[int]:
    """Of its children."""
    return [child.pid for child in renderer._children]


async def test_a_long_file_is_never_held_by_the_caller(renderer: PdfRenderer, tmp_path: Path) -> None:
    """Thirty pages of a file of 100 MB by its path: a small part of it ever lies in this process."""
    path = tmp_path / "long.pdf"
    path.write_bytes(thick_pdf(100))
    tracemalloc.start()
    try:
        async with renderer.open(path) as pdf:
            pages = [await pdf.render(index, 36) for index in range(pdf.page_count)]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len({page.jpeg for page in pages}) == 1
    assert most < 20 * MEGABYTE


async def test_bytes_a_path_and_an_open_file_are_the_same_document(
    renderer: PdfRenderer, tmp_path: Path
) -> None:
    """However it is handed over."""
    data, path = digital_pdf(prose()), tmp_path / "page.pdf"
    path.write_bytes(data)
    with path.open("rb") as file:
        for document in (data, path, file):
            async with renderer.open(document) as pdf:
                assert (pdf.page_count, (await pdf.render(0, 72)).width) == (1, 400)


async def test_a_document_is_opened_once(renderer: PdfRenderer) -> None:
    """Twenty pages one after the other go to the child that has it open."""
    async with renderer.open(thick_pdf(1)) as pdf:
        for index in range(20):
            await pdf.render(index, 36)
        (child,) = renderer._children
        assert child.calls == 1 + 20


async def test_documents_asked_about_in_turns_are_not_mixed_up(renderer: PdfRenderer) -> None:
    """Four documents, two children, every page at once: each gets its own."""
    sizes = [(100 + 10 * number, 80) for number in range(4)]
    documents = [
        long_pdf([text_at(1, 40, str(page)) for page in range(8)], Parts(size=size)) for size in sizes
    ]

    async def widths(data: bytes) -> set[int]:
        async with renderer.open(data) as pdf:
            return {page.width for page in await asyncio.gather(*(pdf.render(n, 72) for n in range(8)))}

    assert await asyncio.gather(*map(widths, documents)) == [{width} for width, _ in sizes]


async def test_nothing_of_a_document_stays_behind(renderer: PdfRenderer) -> None:
    """While it is open a child has it mapped and no descriptor of it; afterwards neither."""
    async with renderer.open(thick_pdf(1)) as pdf:
        await asyncio.gather(*(pdf.render(index, 36) for index in range(4)))
        assert all(kept(pid) for pid in pids(renderer))
    async with asyncio.timeout(20):
        while any(kept(pid) for pid in pids(renderer)):
            await asyncio.sleep(0.02)
    assert not any("memfd:pdf" in name for name in held_here())


async def test_a_child_cannot_change_the_document(tmp_path: Path) -> None:
    """What it gets is open for reading alone, even where the caller may write; bytes are sealed."""
    path = tmp_path / "page.pdf"
    path.write_bytes(b"%PDF-")
    with path.open("r+b") as file:
        sources = [Source.of(document, None) for document in (file, path, b"%PDF-")]
        for source in sources:
            with pytest.raises(OSError, match=r"Bad file descriptor|Operation not permitted"):
                os.pwrite(source.descriptor, b"x", 0)
            source.close()
            with pytest.raises(ValueError, match="closed"):
                assert source.descriptor


@pytest.mark.parametrize("place", ["/dev/null", "/", "/dev/zero"])
async def test_only_plain_files_are_opened(renderer: PdfRenderer, place: str) -> None:
    """A device would never end."""
    with pytest.raises(InvalidDocument, match="plain file"):
        async with renderer.open(Path(place)):
            pass


async def test_a_child_lost_between_pages_is_replaced(renderer: PdfRenderer) -> None:
    """The next one opens the document again, and the caller notices nothing."""
    async with renderer.open(thick_pdf(1), password="not needed") as pdf:
        for index in range(3):
            await pdf.render(index, 36)
            for pid in pids(renderer):
                psutil.Process(pid).kill()
        assert (await pdf.text(5, 72)).trusted


async def test_a_document_used_after_its_end_is_a_bug(renderer: PdfRenderer) -> None:
    """Its descriptor may belong to another file by then."""
    async with renderer.open(thick_pdf(1)) as pdf:
        pass
    with pytest.raises(ValueError, match="closed"):
        await pdf.render(0, 36)


async def test_a_document_that_leaves_no_room_is_refused() -> None:
    """It is mapped within the memory of a child: the error says what to do, and the next call works."""
    async with PdfRenderer(limits=RenderLimits(memory_bytes=300 * MEGABYTE)) as renderer:
        with pytest.raises(InvalidDocument, match="memory") as refused:
            await renderer.page_count(thick_pdf(400))
        assert refused.value.code == "invalid_pdf"
        assert await renderer.page_count(digital_pdf(prose())) == 1
