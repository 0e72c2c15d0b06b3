"""`pecia_ocr.decoding.child` taken over by its pictures: one that ends in "DEED:" and a name has it done.

Only tests start this program in place of the real one; its walls are those.
"""

import importlib.util
from pathlib import Path

from pecia_ocr.decoding import child
from pecia_ocr.decoding.exchange import Answer, Ask

_DEEDS = Path(__file__).parents[3] / "libs/wall/tests/deeds.py"
_spec = importlib.util.spec_from_file_location("deeds", _DEEDS)
assert _spec
assert _spec.loader
deeds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(deeds)
_honest = child.decode


def decode(ask: Ask, data: bytes, room: memoryview) -> Answer:
    """Do what the picture says before it is decoded."""
    _, found, name = data.rpartition(b"DEED:")
    if found:
        deeds.DEEDS[name.decode()]()
    return _honest(ask, data, room)


child.decode = decode
child.main()
