"""A processor that ends at AVX2, for a contender on one that has more: builds what is preloaded for it."""

import subprocess

from benchmarks import machine
from benchmarks.rivals.venvs import BUILD, ROOT

SOURCE = ROOT / "benchmarks" / "cpu" / "avx2_only.c"
LIBRARY = BUILD / "avx2_only.so"
ENVIRONMENT = {"LD_PRELOAD": str(LIBRARY)}


def build() -> None:
    """Compile it where that has not been done.

    Raises:
        RuntimeError: this processor ends at AVX2, or this machine has no C compiler.
    """
    if machine.ends_at_avx2():
        raise RuntimeError("this processor ends at AVX2 by itself, so that `pecia` is held to it")
    if LIBRARY.exists() and LIBRARY.stat().st_mtime >= SOURCE.stat().st_mtime:
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(LIBRARY), str(SOURCE)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError("it needs a C compiler (Debian: gcc libc6-dev)") from error
