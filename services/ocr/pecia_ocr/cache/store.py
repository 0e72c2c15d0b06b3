"""Where results are kept: the one contract of all stores."""

from typing import Protocol


class Store(Protocol):
    """Keeps bytes for a while. It may forget at any time, and never fails a caller."""

    async def get(self, key: str) -> bytes | None:
        """What was kept under this name; None = nothing, or it cannot be said in time."""
        ...

    async def put(self, key: str, value: bytes) -> None:
        """Keep it, soon. Returns at once."""
        ...

    async def forget(self, beginning: str) -> int:
        """Let go of everything whose name begins so; gives how many were found."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
