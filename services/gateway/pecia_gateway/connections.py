"""Connections that do not wait for ever: for the head of a request, or for a client that stopped reading."""

import asyncio
from collections.abc import Callable
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class BoundedConnection(H11Protocol):
    """uvicorn's, which has bounds for idle connections only. Bodies have theirs in `BodyLimit`."""

    head_s: ClassVar[float] = 30.0  # from the first byte, or from the connection, to the end of the head
    unread_s: ClassVar[float] = 60.0  # an answer may lie in a full buffer

    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, not for ever."""
        super().connection_made(transport)
        self._head = self._later(self.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_head()
        self._stop_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The clock runs while a head has begun and not ended."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_head()
        elif self._head is None:
            self._head = self._later(self.head_s)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        self._unread = self._unread or self._later(self.unread_s)

    def resume_writing(self) -> None:
        """It has read enough."""
        super().resume_writing()
        self._stop_unread()

    def _stop_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _later(self, seconds: float) -> asyncio.TimerHandle:
        # Not close(): that would wait for what is written to be read.
        give_up: Callable[[], None] = self.transport.abort
        return self.loop.call_later(seconds, give_up)
