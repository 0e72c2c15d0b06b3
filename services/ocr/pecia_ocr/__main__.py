"""`python -m pecia_ocr`: run the ocr service; settings come from the environment (docs/CONFIG.md)."""

import asyncio
import sys

from pecia_core.memory import keep_freed_memory
from pecia_core.settings import loaded

from pecia_ocr.server import serve
from pecia_ocr.settings import Settings

if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(asyncio.run(serve(loaded(Settings))))
