"""What a figure was measured on: processor, cores, memory, versions, commit. No name, no paths."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("openvino", "onnxruntime", "rapidocr", "opencv-python-headless", "numpy", "pillow")
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")


def processor() -> str:
    """Model and what it can compute with, for example `... 2.50GHz, 2 cores, avx2 avx512f`."""
    said = _cpuinfo()
    model = re.search(r"model name\s*: (.*)", said)
    flags = re.search(r"flags\s*: (.*)", said)
    known = [flag for flag in _FLAGS if flags and flag in flags[1].split()]
    name = " ".join(model[1].split()) if model else platform.machine()
    return f"{name}, {cores()} cores, {' '.join(known) or 'no vector flags known'}"


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bf16() -> bool:
    """Whether the processor computes in bfloat16 by itself."""
    return "bf16" in _cpuinfo()


def ends_at_avx2() -> bool:
    """Whether it is an x86 processor that computes with AVX2 and nothing wider."""
    return "avx2" in _cpuinfo() and "avx512f" not in _cpuinfo()


def load() -> float:
    """Mean number of processes that wanted a core during the last minute."""
    return os.getloadavg()[0]


def circumstances() -> str:
    """A paragraph for the end of a page."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{processor()}, {_memory_gib():.0f} GiB, Linux {platform.release().split('-')[0]}.\n"
        f"Commit {commit()}. Python {platform.python_version()}, {packages}.\n"
    )


def commit() -> str:
    """The commit, `-dirty` where files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return found or "unknown"


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
