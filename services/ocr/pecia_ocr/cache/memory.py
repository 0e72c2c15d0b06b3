"""Results in this process."""

from time import monotonic

from cachetools import TTLCache

# Names and book-keeping of an entry, beside its bytes.
_OVERHEAD_BYTES = 512
_MAX_ENTRIES = 100_000


class MemoryStore:
    """The results used last, bounded in bytes, in number and in age. Never suspends its caller."""

    def __init__(self, max_bytes: int, ttl_s: float) -> None:
        """Empty.

        Args:
            max_bytes: of all results together; one that is larger is not kept.
            ttl_s: seconds after which a result is forgotten.
        """
        # Every entry weighs at least its share, so that the bound on bytes is one on their number too.
        self._least = max(_OVERHEAD_BYTES, -(-max_bytes // _MAX_ENTRIES))
        self._max_bytes = max_bytes
        self._kept: TTLCache[str, bytes] = TTLCache(max_bytes, ttl_s, timer=monotonic, getsizeof=self._weight)

    def __len__(self) -> int:
        """How many results it holds."""
        return len(self._kept)

    @property
    def held_bytes(self) -> float:
        """What they weigh."""
        return self._kept.currsize

    async def get(self, key: str) -> bytes | None:
        """The result, which counts as used."""
        value: bytes | None = self._kept.get(key)
        return value

    async def put(self, key: str, value: bytes) -> None:
        """Keep it, and forget what was used longest ago where room is needed."""
        if self._weight(value) <= self._max_bytes:
            self._kept[key] = value

    async def forget(self, beginning: str) -> int:
        """All that is named so."""
        named = [key for key in self._kept if key.startswith(beginning)]
        for key in named:
            self._kept.pop(key, None)
        return len(named)

    async def close(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def _weight(self, value: bytes) -> int:
        return max(len(value) + _OVERHEAD_BYTES, self._least)
