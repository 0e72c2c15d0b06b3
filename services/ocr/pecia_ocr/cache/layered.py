"""Two stores as one: what is near is asked first, and what is kept is kept in both."""

from pecia_ocr.cache.store import Store


class LayeredStore:
    """A store of this process before one that several processes share."""

    def __init__(self, near: Store, far: Store) -> None:
        """Ask `near`, which never suspends its caller, before `far`, which may."""
        self._near = near
        self._far = far

    async def get(self, key: str) -> bytes | None:
        """From wherever it is."""
        if (value := await self._near.get(key)) is not None:
            return value
        if (value := await self._far.get(key)) is None:
            # A page that was read here meanwhile must not be missed: it is no longer being read either.
            return await self._near.get(key)
        return value

    async def put(self, key: str, value: bytes) -> None:
        """In both."""
        await self._near.put(key, value)
        await self._far.put(key, value)

    async def forget(self, beginning: str) -> int:
        """In both; what lies in both counts once."""
        return max(await self._near.forget(beginning), await self._far.forget(beginning))

    async def close(self) -> None:
        """Both."""
        await self._near.close()
        await self._far.close()
