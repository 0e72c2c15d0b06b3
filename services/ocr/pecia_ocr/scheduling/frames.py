"""What the service and its worker processes say to each other, and how it looks on a socket.

A frame is two big-endian 32-bit lengths, a msgpack header and raw bytes. Never pickle: a worker
has handled hostile pictures, so what it says is checked against these types like any input.
"""

import struct

import msgspec
from pecia_core.document import Block
from pecia_core.recognition import Delta, Recognition, RecognizeOptions

from pecia_ocr.decoding import DecodeLimits
from pecia_ocr.engines.base import EngineInfo

_LENGTHS = struct.Struct(">II")
HEAD_BYTES = _LENGTHS.size
MAX_HEADER_BYTES = 64 * 1024 * 1024
MAX_PAYLOAD_BYTES = 512 * 1024 * 1024


class RawShape(msgspec.Struct, frozen=True):
    """How raw pixels lie in the payload; stride in bytes, 0 = packed."""

    width: int
    height: int
    channels: int
    stride: int = 0


class Load(msgspec.Struct, frozen=True, tag=True):
    """Service to worker, once: become this engine. `places` = the environment it has been given."""

    engine: str
    config: dict[str, object] = {}
    log_level: str = "INFO"
    pages_at_once: int = 1
    decoding: DecodeLimits = DecodeLimits()
    places: dict[str, str] = {}


class Further(msgspec.Struct, frozen=True):
    """A page that is read together with the one before it, whose bytes its own follow in the payload."""

    length: int
    raw: RawShape | None = None
    turn: int = 0


class Read(msgspec.Struct, frozen=True, tag=True):
    """Service to worker: read the page in the payload; encoded, unless `raw` says how it lies.

    `turn`, `glance`, `further`: as in `process.PageInput`.
    """

    call_id: int
    options: RecognizeOptions
    request_id: str = ""
    raw: RawShape | None = None
    tenant: str = ""
    turn: int = 0
    glance: bool = False
    further: tuple[Further, ...] = ()


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Service to worker: nobody wants this page any more."""

    call_id: int


class Loading(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: how far the model has loaded, 0.0 to 1.0."""

    progress: float


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: pages may come."""

    info: EngineInfo


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: an error of the PeciaError family; call_id None = the engine could not load."""

    call_id: int | None
    code: str
    message: str
    param: str | None = None


class Text(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: text as it is recognised."""

    call_id: int
    delta: Delta


class BlockRead(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: a block is complete."""

    call_id: int
    block: Block


class Done(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: the page is read."""

    call_id: int
    recognition: Recognition


class PageDone(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: the next of several pages is read; more may come."""

    call_id: int
    recognition: Recognition


class AllDone(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: no more of several pages will be read."""

    call_id: int


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: a cancelled page has been let go."""

    call_id: int


class Weighed(msgspec.Struct, frozen=True, tag=True):
    """Worker to service: what the process holds now that a page has ended."""

    resident_bytes: int


ToWorker = Load | Read | Cancel
FromWorker = Loading | Ready | Failed | Text | BlockRead | Done | PageDone | AllDone | Stopped | Weighed

_encoder = msgspec.msgpack.Encoder()
to_worker_decoder: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
from_worker_decoder: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def encode(message: ToWorker | FromWorker, payload_length: int = 0) -> bytes:
    """Everything of a frame but its payload, which follows on the socket uncopied."""
    header = _encoder.encode(message)
    return _LENGTHS.pack(len(header), payload_length) + header


def lengths(head: bytes) -> tuple[int, int]:
    """Header and payload length.

    Raises:
        ValueError: more than any honest peer sends.
    """
    header, payload = _LENGTHS.unpack(head)
    if header > MAX_HEADER_BYTES or payload > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a frame of {header} + {payload} bytes is larger than allowed")
    return header, payload
