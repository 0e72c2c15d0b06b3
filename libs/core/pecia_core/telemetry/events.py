"""Log events that other people's searches and alerts know word by word."""

_MEBIBYTE = 1 << 20


def processing_time_event(milliseconds: float) -> str:
    """How long one page took."""
    return f"OCR processing time: {milliseconds:.0f}ms"


def memory_usage_event(resident_bytes: int) -> str:
    """How much memory a process holds; MB are 2**20 bytes, as `free -m` counts."""
    return f"Memory usage: {resident_bytes / _MEBIBYTE:.0f}MB"
