"""Pictures for the screen, made by a child process: this one has keys and the network, so it opens none."""

import dataclasses
import json
import subprocess
import sys
import threading

from pecia_ui.overlay import Mark, Sheet
from pecia_ui.reading import Page, Reading

_TIMEOUT_S = 60.0
_NO_SECRETS = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}


class CannotDraw(Exception):
    """The picture cannot be shown: damaged, too large, or of a kind this page does not know."""


class Easel:
    """Draws for all visitors; only so many pictures are open at once, for each may need a gigabyte."""

    def __init__(self, places: int = 2) -> None:
        """Set how many pictures are drawn at once; more wait for their turn."""
        self._places = threading.BoundedSemaphore(places)

    def drawn(self, picture: bytes, sheet: Sheet) -> bytes:
        """The picture as JPEG with its boxes, as `pecia_ui.overlay.drawn` makes it.

        Raises:
            CannotDraw: the child could not read it, in its limits of memory and time.
        """
        told = json.dumps(dataclasses.asdict(sheet)).encode()
        with self._places:
            return _child(told + b"\n" + picture)


def _child(told: bytes) -> bytes:
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "pecia_ui.overlay"],
            input=told,
            capture_output=True,
            env=_NO_SECRETS,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as failure:
        raise CannotDraw("The picture cannot be shown here.") from failure
    return done.stdout


def sheet_of(reading: Reading, threshold: float, *, numbers: bool) -> Sheet:
    """The boxes of a reading's first page, as `sheet_of_page` says."""
    return sheet_of_page(reading.pages[0], threshold, numbers=numbers) if reading.pages else Sheet()


def sheet_of_page(page: Page, threshold: float, *, numbers: bool) -> Sheet:
    """The boxes of a page; those below the confidence `threshold` (0.0 to 1.0) are doubtful."""
    marks = tuple(
        Mark(region.polygon, doubtful=region.is_doubtful(threshold), number=number)
        for number, region in enumerate(page.regions, start=1)
    )
    return Sheet(marks, page=(page.width, page.height), turn=page.rotation % 360, numbers=numbers)
