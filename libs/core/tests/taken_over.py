"""`pecia_core.pdf.child` taken over by its documents: a password that names a deed has it done.

Only tests start this program in place of the real one; its walls are those.
"""

import importlib.util
from pathlib import Path

from pecia_core.pdf import child, frames, opened

_DEEDS = Path(__file__).parents[2] / "wall/tests/deeds.py"
_spec = importlib.util.spec_from_file_location("deeds", _DEEDS)
assert _spec
assert _spec.loader
deeds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(deeds)


class Hostile(opened.Opened):
    """Does what the password says before it draws."""

    def __init__(self, descriptor: int, password: str | None) -> None:
        super().__init__(descriptor, None)
        self._deed = deeds.DEEDS.get(password)

    def answer(self, request: frames.Request) -> tuple[frames.FromChild, bytes]:
        if self._deed:
            try:
                self._deed()
            except (OSError, MemoryError) as error:
                raise opened.CannotRead(frames.Refusal.OUT_OF_MEMORY) from error
        return super().answer(request)


vars(child)["Opened"] = Hostile
child.main()
