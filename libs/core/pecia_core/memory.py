"""Freed memory that stays with the process."""

import ctypes
import sys
from collections.abc import Callable

_KEPT_BYTES = 64 << 20
_LARGEST_BYTES = 32 << 20  # glibc takes no more; single pieces above it are handed back at once
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>


def hand_back_freed_memory() -> bool:
    """Give the system what was freed, wherever it lies in the heap; milliseconds, however much it is.

    For processes that a bound of memory replaces: what libraries use for a page only lies between what they
    keep, and counts until it is handed back.

    Returns:
        Whether this C library can.
    """
    trim = _of_glibc("malloc_trim")
    if trim is None:
        return False
    trim(0)
    return True


def keep_freed_memory() -> bool:
    """Let the C library keep some of what is freed instead of handing it back to the system.

    For processes through which megabytes pass with each request: memory that is handed back has to be
    asked for again, and the system clears it page by page, which takes longer than all else that is done
    with a picture that only passes.

    Returns:
        Whether this C library can; it is glibc that hands back eagerly.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    return all((mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES), mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)))


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library; None = this one has no such."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
