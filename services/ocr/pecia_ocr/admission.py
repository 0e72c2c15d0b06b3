"""Accept or refuse a page before any work: bytes, pixels, the queue, and the time its caller gives."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pecia_core.errors import InvalidDocument, Overloaded, TooLarge
from pecia_core.vocabulary import EngineName

from pecia_ocr.decoding import PictureHeader, sniff
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.settings import LimitSettings


@dataclass(slots=True)
class _Held:
    """What the admitted pages hold, by tenant. `promised` = pages whose lane does not know of them yet."""

    data_bytes: Counter[str] = field(default_factory=Counter)
    promised: Counter[EngineName] = field(default_factory=Counter)


class Place:
    """The room one admitted page has. Its reading begins a moment later, in a task of its own."""

    def __init__(self, promised: Counter[EngineName], engine: EngineName) -> None:
        """Count the page until its lane does."""
        self._promised = promised
        self._engine = engine
        self._waits = True
        promised[engine] += 1

    def begin(self) -> None:
        """The lane knows of the page from here on."""
        if self._waits:
            self._waits = False
            self._promised[self._engine] -= 1


class Admission:
    """The limits, and what is in the house."""

    def __init__(self, limits: LimitSettings) -> None:
        """Nothing is admitted yet."""
        self._limits = limits
        self._held = _Held()

    @property
    def max_picture_pixels(self) -> int:
        """Of one picture, or of all that are decoded together."""
        return self._limits.max_picture_pixels

    def check_picture(self, page: PageInput) -> PictureHeader:
        """Look at the header only.

        Raises:
            TooLarge: more bytes or pixels than allowed.
            InvalidDocument: no picture, or one that contradicts itself.
            UnsupportedDocument: a format pecia does not read.
        """
        self._check_bytes(len(page.data), raw=page.raw is not None)
        if page.raw is None:
            header = sniff(page.data)
        else:
            header = PictureHeader("raw", page.raw.width, page.raw.height)
        pixels = header.width * header.height
        if pixels > self._limits.max_picture_pixels:
            raise TooLarge(
                f"The picture has {header.width} x {header.height} pixels; "
                f"at most {self._limits.max_picture_pixels:,} are read. Send it at a lower resolution.",
                code="image_too_large",
            )
        return header

    def _check_bytes(self, count: int, *, raw: bool) -> None:
        if count == 0:
            raise InvalidDocument("The picture is empty: 0 bytes arrived.", code="empty_image_file")
        # Raw pixels are not encoded: their bound is the pixel limit, at three bytes each.
        most = self._limits.max_picture_pixels * 3 if raw else self._limits.max_picture_bytes
        if count > most:
            raise TooLarge(
                f"The picture has {count:,} bytes; at most {most:,} are read. Send it smaller, or as JPEG."
            )

    @contextmanager
    def admit(self, page: PageInput, lane: Lane, remaining_s: float) -> Iterator[Place]:
        """Hold the page's place until its work is done.

        Raises:
            Overloaded: no room; says when to come back, computed from queue and measured pace.
        """
        self._check_queue(lane, remaining_s)
        with self.hold(page):
            place = Place(self._held.promised, lane.name)
            try:
                yield place
            finally:
                place.begin()

    @contextmanager
    def hold(self, page: PageInput) -> Iterator[None]:
        """Count the bytes of a page that waits for the reading of another.

        Raises:
            Overloaded: the pictures in the house fill the memory set aside for them.
        """
        held, count = self._held.data_bytes, len(page.data)
        if held.total() + count > self._limits.max_waiting_bytes:
            raise Overloaded("The pictures being read fill the memory set aside for them.", retry_after=1)
        if held[page.tenant] + count > self._limits.tenant_waiting_bytes:
            raise Overloaded(
                "Your pictures that are being read fill the memory set aside for one tenant.", retry_after=1
            )
        held[page.tenant] += count
        try:
            yield
        finally:
            held[page.tenant] -= count
            if not held[page.tenant]:
                del held[page.tenant]

    def _check_queue(self, lane: Lane, remaining_s: float) -> None:
        promised = self._held.promised[lane.name]
        waiting = lane.queue_length + max(0, promised - lane.free_slots)
        busy = lane.free_slots <= promised
        wait_s = lane.pace.wait_s(waiting + 1) if busy else 0.0
        if busy and waiting >= self._limits.max_queue_length:
            raise Overloaded(f"{waiting} pages are waiting already; no more can.", retry_after=wait_s)
        if wait_s > remaining_s:
            raise Overloaded(
                f"This page would wait about {wait_s:.0f} s, longer than its deadline allows.",
                retry_after=wait_s,
            )
