"""A worker process: one engine, no secrets, gone when its parent is gone.

The main thread reads pages, with as many threads beside it as the engine shares its time among. One
more thread listens to the socket, so that a cancel reaches the engine while it works and the end of
the socket ends the process, whatever the engine is doing.
"""

import logging
import os
import signal
import socket
import sys
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread

from msgspec.structs import replace
from pecia_core.document import Block
from pecia_core.errors import EngineFailed, PeciaError, Unavailable
from pecia_core.memory import hand_back_freed_memory
from pecia_core.recognition import Delta
from pecia_core.telemetry import configure_logging, request_id, resident_bytes
from pecia_core.vocabulary import EngineName
from pecia_wall import WallMissing, die_with

from pecia_ocr import decoding
from pecia_ocr.engines import catalogue
from pecia_ocr.engines.base import Broken, CancelToken, Engine, Interrupted, tenant
from pecia_ocr.reading import glance, read_page, read_together
from pecia_ocr.scheduling import frames, walls

log = logging.getLogger(__name__)

_BROKEN = 70  # what the process exits with


class _Line:
    """The socket to the service: blocking, whole frames."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = Lock()

    def send(self, message: frames.FromWorker) -> None:
        with self._sending:
            try:
                self._socket.sendall(frames.encode(message))
            except BrokenPipeError:
                os._exit(0)  # nobody is left to tell

    def receive(self) -> tuple[frames.ToWorker, bytes]:
        """The next frame; EOFError when the service is gone."""
        header, payload = frames.lengths(self._exactly(frames.HEAD_BYTES))
        message = frames.to_worker_decoder.decode(self._exactly(header))
        return message, self._exactly(payload)

    def _exactly(self, count: int) -> bytes:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            received = self._socket.recv_into(view)
            if not received:
                raise EOFError
            view = view[received:]
        return bytes(data)


class Worker:
    """Reads the pages it is sent; they are begun in order."""

    def __init__(self, line: _Line) -> None:
        """Nothing is loaded yet."""
        self._line = line
        self._pages: SimpleQueue[tuple[frames.Read, bytes]] = SimpleQueue()
        self._tokens: dict[int, CancelToken] = {}
        self._decoder = decoding.Decoder(decoding.DecodeLimits())

    def run(self) -> None:
        """Load what the first frame names, then read pages until the service goes away."""
        load, _ = self._line.receive()
        if not isinstance(load, frames.Load):
            raise TypeError(f"the first frame must be Load, not {type(load).__name__}")
        configure_logging("ocr", load.log_level)
        self._enclose(load)
        engine = self._load(load)
        Thread(target=self._listen, name="listener", daemon=True).start()
        for number in range(1, load.pages_at_once):
            Thread(target=self._read_pages, args=(engine,), name=f"reader-{number}", daemon=True).start()
        self._read_pages(engine)

    def _enclose(self, load: frames.Load) -> None:
        """Put up this process's wall, and have the narrower one of its decoder ready."""
        required = load.decoding.wall_required
        wall = walls.wall_for(EngineName(load.engine), load.config, load.places)
        try:
            bearing = wall.enter(required=required)
            self._decoder = decoding.Decoder(load.decoding)
            self._decoder.start()
        except (WallMissing, EngineFailed) as error:
            self._line.send(frames.Failed(None, Unavailable.default_code, str(error)))
            sys.exit(0)
        said = {"engine": load.engine, "worker": str(bearing), "decoder": str(self._decoder.bearing)}
        log.log(logging.WARNING if bearing.missing else logging.INFO, "Behind walls", extra=said)

    def _read_pages(self, engine: Engine) -> None:
        while True:
            read, payload = self._pages.get()
            self._answer(engine, read, payload)

    def _load(self, load: frames.Load) -> Engine:
        try:
            engine = catalogue.build(EngineName(load.engine), load.config)
            engine.load(lambda progress: self._line.send(frames.Loading(progress)))
        except PeciaError as error:
            self._line.send(frames.Failed(None, error.code, error.message))
            sys.exit(0)
        self._line.send(frames.Ready(engine.info))
        return engine

    def _listen(self) -> None:
        try:
            while True:
                message, payload = self._line.receive()
                match message:
                    case frames.Read():
                        self._tokens[message.call_id] = CancelToken()
                        self._pages.put((message, payload))
                    case frames.Cancel():
                        if token := self._tokens.get(message.call_id):
                            token.cancel()
        finally:
            os._exit(0)  # the service is gone or talks nonsense: no page is worth finishing

    def _answer(self, engine: Engine, read: frames.Read, payload: bytes) -> None:
        request_id.set(read.request_id)
        tenant.set(read.tenant)
        try:
            self._line.send(self._outcome(engine, read, payload))
        finally:
            del self._tokens[read.call_id]
        self._weigh()

    def _weigh(self) -> None:
        """Say what this process holds, without what it no longer needs: above a bound it is replaced."""
        hand_back_freed_memory()
        self._line.send(frames.Weighed(resident_bytes()))

    def _outcome(self, engine: Engine, read: frames.Read, payload: bytes) -> frames.FromWorker:
        call_id = read.call_id

        def emit(said: Delta | Block) -> None:
            self._line.send(
                frames.Text(call_id, said) if isinstance(said, Delta) else frames.BlockRead(call_id, said)
            )

        try:
            token = self._tokens[call_id]
            decode = partial(self._decode, read, payload)
            if read.further:
                decodes = [partial(self._decode, *each) for each in _apart(read, payload)]
                for recognition in read_together(engine, decodes, read.options, token, emit):
                    self._line.send(frames.PageDone(call_id, recognition))
                return frames.AllDone(call_id)
            if read.glance:
                recognition = glance(engine, decode, read.options, token)
            else:
                recognition = read_page(engine, decode, read.options, token, emit)
        except Interrupted:
            return frames.Stopped(call_id)
        except PeciaError as error:
            return frames.Failed(call_id, error.code, error.message, error.param)
        except Broken:
            log.critical("The engine is broken; a new process takes over", exc_info=True)
            os._exit(_BROKEN)
        except Exception:
            # One page must not take the process down; its own log line says what broke.
            log.exception("The engine broke on a page")
            message = "The engine broke on this page; the log has the cause under this request id."
            return frames.Failed(call_id, EngineFailed.default_code, message)
        return frames.Done(call_id, recognition)

    def _decode(self, read: frames.Read, payload: bytes) -> decoding.Decoded:
        if read.raw is None:
            return self._decoder.decode(payload, self._tokens[read.call_id]).turn(read.turn)
        raw = read.raw
        pixels = decoding.from_raw(raw.width, raw.height, raw.channels, raw.stride, payload)
        return decoding.Decoded(pixels, raw.width, raw.height).turn(read.turn)


def _apart(read: frames.Read, payload: bytes) -> list[tuple[frames.Read, bytes]]:
    """Each of the pages that are read together, with its own bytes."""
    end = len(payload) - sum(page.length for page in read.further)
    pages = [(replace(read, further=()), payload[:end])]
    for page in read.further:
        begin, end = end, end + page.length
        pages.append((replace(read, raw=page.raw, turn=page.turn, further=()), payload[begin:end]))
    return pages


def main() -> None:
    """`python -m pecia_ocr.scheduling.worker FD PARENT_PID`: not for people."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    # A Ctrl-C or a drain is the parent's to decide; it closes the socket when the work is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    die_with(parent)
    Worker(_Line(socket.socket(fileno=descriptor))).run()


if __name__ == "__main__":
    main()
