"""The wall around a worker: what an engine may still do once it begins to load.

It sees pixels, not files: those are decoded behind a narrower wall of their own. What is left to it is what
its libraries need: to read programs, libraries and models, and to run what it is made of.
"""

import os
import shutil
import sys
from collections.abc import Mapping

from pecia_core.vocabulary import EngineName
from pecia_wall import Wall
from pecia_wall.calls import ASKING, COMPUTING, COMPUTING_ON_GPU
from pecia_wall.landlock import Access, Rule
from pecia_wall.wall import reading, running

# What starts programs, on the machines there are images for.
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
# Libraries, settings that every program reads, and what the kernel says of the machine.
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys")
_TESSERACT = ("tesseract", "setpriv", "env")


def wall_for(engine: EngineName, config: Mapping[str, object], places: Mapping[str, str]) -> Wall:
    """The wall of a worker that becomes this engine.

    Args:
        engine: its name.
        config: its settings; a model's `folder` may be read, a `url` be asked.
        places: names of the environment that say where libraries and language data lie.
    """
    rules = [*reading(*_SYSTEM, *_python(), *_named(places)), Rule("/dev/null", Access.USE)]
    rules += running(sys.executable, *_LOADERS)
    if engine is EngineName.TESSERACT:
        rules += running(*filter(None, map(shutil.which, _TESSERACT)))
    if "url" in config:
        # A profile of its own lies where whoever runs this has put it.
        rules += reading(*(str(path) for path in [config.get("profile")] if str(path).endswith(".toml")))
        return Wall(ASKING, rules=tuple(rules), connects=True)
    if folder := config.get("folder"):
        # What computes on a GPU writes its kernels as it goes, and compiles them.
        temporary = places.get("TMPDIR", "/tmp")  # noqa: S108  a private volume in the images
        rules += [*reading(str(folder)), Rule("/dev", Access.USE), Rule("/dev/shm", Access.KEEP)]  # noqa: S108
        rules += [Rule(temporary, Access.KEEP | Access.RUN), Rule("/usr", Access.READ | Access.RUN)]
        rules += [Rule(sys.prefix, Access.READ | Access.RUN)]
        return Wall(COMPUTING_ON_GPU, rules=tuple(rules))
    return Wall(COMPUTING, rules=tuple(rules))


def _python() -> list[str]:
    return [sys.prefix, sys.base_prefix, *(path for path in sys.path if os.path.isdir(path))]  # noqa: PTH112  as sys.path has it


def _named(places: Mapping[str, str]) -> list[str]:
    named = [places.get(name, "").split(":") for name in ("LD_LIBRARY_PATH", "TESSDATA_PREFIX")]
    return [path for paths in named for path in paths if path]
