"""Writes small PDFs: the sheet that glyphs are learnt from, and pages for samples and tests."""

from collections.abc import Sequence


def document(objects: Sequence[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1, the first of which is the catalogue."""
    data, table = bytearray(b"%PDF-1.7\n"), b"0000000000 65535 f \n"
    for number, body in enumerate(objects, start=1):
        table += b"%010d 00000 n \n" % len(data)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, count = len(data), len(objects) + 1
    data += b"xref\n0 %d\n%strailer\n<< /Size %d /Root 1 0 R >>\n" % (count, table, count)
    return bytes(data) + b"startxref\n%d\n%%%%EOF\n" % start


def stream(entries: bytes, data: bytes) -> bytes:
    """A stream object."""
    return b"<< %s /Length %d >>\nstream\n" % (entries, len(data)) + data + b"\nendstream"
