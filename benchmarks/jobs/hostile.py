"""Documents that cannot be read, or not wholly, or not by everybody."""

import zlib

from pecia_core.locked_pdf import locked as lock

from benchmarks.jobs.drawn import content_of, document, pdf

_BOMB_SIDE = 60_000  # pixels: 450 MB when unpacked, half a megabyte in the file


def truncated(pages: int) -> bytes:
    """A document of which the second half never came: without its table of contents."""
    data = document(pages)
    return data[: len(data) // 2]


def empty() -> bytes:
    """A whole PDF without a page."""
    return pdf([])


def bomb_between() -> bytes:
    """Three pages; the second shows a picture that fills memory when it is unpacked."""
    rows = zlib.compress(bytes(_BOMB_SIDE * _BOMB_SIDE // 8), 9)
    picture = b"BI /W %d /H %d /BPC 1 /CS /G /F /Fl ID " % (_BOMB_SIDE, _BOMB_SIDE)
    content = b"q 72 0 0 72 0 0 cm " + picture + rows + b"\nEI Q"
    return pdf([content_of(1), content, content_of(3)])


def locked(pages: int, password: str) -> bytes:
    """Encrypted, with a password that opens it."""
    return lock(document(pages), password)
