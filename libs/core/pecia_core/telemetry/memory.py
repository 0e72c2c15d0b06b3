"""How much memory a process holds, as the kernel counts it."""

import os
from pathlib import Path


def resident_bytes(pid: int | None = None) -> int:
    """Resident memory of a process (None = this one); 0 where it is gone or the system has no /proc."""
    try:
        pages = Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
