"""`python -m pecia_ocr`: run the ocr service; settings come from the environment (docs/CONFIG.md)."""

import asyncio

from pecia_ocr.server import serve
from pecia_ocr.settings import Settings

if __name__ == "__main__":
    asyncio.run(serve(Settings()))
