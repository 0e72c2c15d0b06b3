"""The pages of a request, handed to the ocr service one a call, or several as one document."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import monotonic

from pecia_core import errors
from pecia_core.recognition import Delta, Event, Notice, Recognition, Started
from pecia_dispatch import Call, OcrClient

from pecia_gateway.documents import Group, grouped
from pecia_gateway.pages import Picture, blaming, together
from pecia_gateway.rendering import json_text, page_marker

# What one page at a time may go well in spite of.
_MENDABLE = (errors.DeadlineExceeded, errors.EngineFailed, errors.OutOfMemory, errors.Unavailable)
# Of the time that is left, for reading pages as one document: the rest is for reading them one by one.
_SHARE = 0.5
_GROUPS_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the pages of one request, on behalf of one caller, before `deadline` (monotonic seconds).

    `pages_together`: the caller wants several pages read as one document, where the model can.
    """

    client: OcrClient
    call: Call
    deadline: float
    pages_together: bool = False

    async def read(self, pictures: Sequence[Picture]) -> list[Recognition]:
        """Every page, in order; the first that fails ends the others.

        Raises:
            PeciaError: naming the field whose picture was at fault.
        """
        if not self._as_one(pictures):
            return await together(self._read(picture) for picture in pictures)
        groups = grouped(pictures, await self.client.describe())
        read = await together((self._read_all(group) for group in groups), at_once=_GROUPS_AT_ONCE)
        return [page for pages in read for page in pages]

    async def stream(self, pictures: Sequence[Picture], *, as_json: bool) -> AsyncGenerator[Event, None]:
        """The events of every page, page after page, a marker before each but the first.

        The deltas joined are the text of the unary answer: where JSON was asked for, it comes as
        one delta at the end. Pages that are read as one document come when all of them are read.
        """
        read: list[Recognition] = []
        at, said = 0, False
        async with aclosing(self._events(pictures)) as events:
            async for index, event in events:
                if index != at:
                    at, said = index, False
                    if not as_json:
                        yield Delta(page_marker(index))
                if isinstance(event, Recognition):
                    read.append(event)
                    if event.text and not (said or as_json):
                        yield Delta(event.text)
                said = said or isinstance(event, Delta)
                if not (as_json and isinstance(event, Delta)):
                    yield event
        if as_json:
            yield Delta(json_text(read))

    def _as_one(self, pictures: Sequence[Picture]) -> bool:
        return self.pages_together and len(pictures) > 1

    async def _events(self, pictures: Sequence[Picture]) -> AsyncGenerator[tuple[int, Event], None]:
        """What is told of the pages: which, and what."""
        if not self._as_one(pictures):
            async with aclosing(self._apart(pictures, 0, "")) as events:
                async for told in events:
                    yield told
            return
        index = 0
        for group in grouped(pictures, await self.client.describe()):
            pages, against = await self._read_group(group)
            for offset, page in enumerate(pages):
                yield index + offset, Started(page.engine, page.model, page.timings.queue_ms)
                yield index + offset, page
            if not pages:
                async with aclosing(self._apart(group.pictures, index, against)) as events:
                    async for told in events:
                        yield told
            index += len(group.pictures)

    async def _apart(
        self, pictures: Sequence[Picture], first: int, against: str
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """One page after the other."""
        for index, picture in enumerate(pictures, first):
            with blaming(picture.param):
                reading = self.client.stream(picture.data, picture.options, self._call())
                async with aclosing(reading) as events:
                    async for event in events:
                        yield index, _flagged(event, against) if isinstance(event, Recognition) else event

    async def _read_all(self, group: Group) -> list[Recognition]:
        """The pages as one document, or one by one."""
        pages, against = await self._read_group(group)
        if not pages:
            apart = await together(self._read(picture) for picture in group.pictures)
            pages = [_flagged(page, against) for page in apart]
        return pages

    async def _read_group(self, group: Group) -> tuple[list[Recognition], str]:
        """The pages as one document; or none, and what was against it."""
        if group.against:
            return [], group.against
        pictures = group.pictures
        data = [picture.data for picture in pictures]
        try:
            call = self._call(_SHARE)
            return await self.client.recognize_pages(data, pictures[0].options, call), ""
        except _MENDABLE as error:
            return [], error.message
        except errors.PeciaError as error:
            if error.code == "pages_not_together":
                return [], error.message
            error.param = _fields_of(pictures).get(error.param or "", error.param)
            raise

    async def _read(self, picture: Picture) -> Recognition:
        with blaming(picture.param):
            return await self.client.recognize(picture.data, picture.options, self._call())

    def _call(self, share: float = 1.0) -> Call:
        """A call that may take this share of what is left."""
        left = self.deadline - monotonic()
        if left <= 0:
            raise errors.DeadlineExceeded("The time given was over before the page could be read.")
        return replace(self.call, timeout_s=min(self.call.timeout_s, left) * share)


def _flagged(page: Recognition, against: str) -> Recognition:
    if not against:
        return page
    notice = Notice("page_read_apart", f"Read by itself: {against}")
    return replace(page, warnings=(notice, *page.warnings))


def _fields_of(pictures: Sequence[Picture]) -> dict[str, str]:
    """The ocr service's word for each picture, and the field of the request it came from."""
    return {f"pictures[{index}]": picture.param for index, picture in enumerate(pictures)}
