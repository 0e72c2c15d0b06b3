"""Documents that cannot be read, or not wholly, or not by everybody."""

import hashlib
import zlib
from itertools import cycle

from benchmarks.jobs.drawn import content_of, document, pdf

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_IDENTITY = b"0123456789abcdef"
_PERMISSIONS = -4
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


def locked(pages: int, password: bytes) -> bytes:
    """Encrypted by the standard handler, revision 2: 40 bits of RC4, as every reader knows it."""
    padded = (password + _PADDING)[:32]
    owner = _rc4(_md5(_PADDING)[:5], padded)
    key = _md5(padded + owner + _PERMISSIONS.to_bytes(4, "little", signed=True) + _IDENTITY)[:5]

    def seal(number: int, stream: bytes) -> bytes:
        return _rc4(_md5(key + number.to_bytes(3, "little") + bytes(2))[:10], stream)

    about = b"/Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P %d" % (
        owner.hex().encode(),
        _rc4(key, _PADDING).hex().encode(),
        _PERMISSIONS,
    )
    trailer = b"/Encrypt << %s >> /ID [<%s> <%s>]" % (about, *[_IDENTITY.hex().encode()] * 2)
    return pdf((content_of(number) for number in range(1, pages + 1)), seal, trailer)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i, byte in zip(range(256), cycle(key), strict=False):
        j = (j + state[i] + byte) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
