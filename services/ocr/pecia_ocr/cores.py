"""How many cores this process may keep busy: what the machine has, less what its container was not given."""

import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def usable_cores(groups: Path = _GROUPS) -> int:
    """Whole cores, at least one: its affinity, bounded by its container's quota.

    Args:
        groups: where the kernel shows the control groups, of version 2 or 1.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _second_version(groups) or _first_version(groups)
    return max(1, min(cores, int(quota))) if quota else cores


def _second_version(groups: Path) -> float | None:
    """Cores' worth of time; None = no quota ("max"), or not this version."""
    try:
        quota, period = (groups / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _first_version(groups: Path) -> float | None:
    """The same where each kind of control has a tree of its own; a quota of -1 is none."""
    try:
        quota = int((groups / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((groups / "cpu" / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
