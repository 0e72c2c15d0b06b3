"""A page on its way to a worker."""

from dataclasses import dataclass

from pecia_core.recognition import RecognizeOptions

from pecia_ocr.scheduling import frames


@dataclass(frozen=True, slots=True)
class PageInput:
    """A page on its way to a worker: encoded bytes, or raw pixels where `raw` says how they lie.

    `turn`: degrees clockwise by which it is turned before the engine sees it. `glance`: only which way up it
    stands is wanted, of an engine that can tell. `further`: pages read together with it, by its options.
    """

    data: bytes
    options: RecognizeOptions
    request_id: str = ""
    raw: frames.RawShape | None = None
    tenant: str = ""
    turn: int = 0
    glance: bool = False
    further: tuple["PageInput", ...] = ()

    def frame(self, call_id: int) -> tuple[frames.Read, bytes]:
        """What a worker is told, and the bytes that go along."""
        further = tuple(frames.Further(len(page.data), page.raw, page.turn) for page in self.further)
        read = frames.Read(
            call_id, self.options, self.request_id, self.raw, self.tenant, self.turn, self.glance, further
        )
        return read, b"".join((self.data, *(page.data for page in self.further))) if further else self.data
