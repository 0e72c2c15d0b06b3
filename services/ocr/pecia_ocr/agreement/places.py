"""Where the lines that a CPU engine saw stand in a model's text: the longest first, each word once.

The two may go through a page in another order, so that a line is looked for everywhere; the same words in two
places are taken in reading order.
"""

from collections.abc import Sequence

from rapidfuzz import fuzz

from pecia_ocr.agreement.script import Script

# In letters: shorter lines stand in many places by chance, and have to be found as they are.
_SHORT = 6
# Per cent; two lines that have nothing to do with each other stay below 50.
_ALIKE = 60.0
# Of a line's letters: what words beside it may add to it.
_BESIDE = 3


def find(script: Script, lines: Sequence[str]) -> None:
    """Give the script's words to the lines; a line that is nowhere gets none.

    Args:
        script: nobody owns anything yet.
        lines: `compact`, in reading order; a word's owner is a place in this list.
    """
    ends: dict[int, int] = {}
    for number in sorted(range(len(lines)), key=lambda number: (-len(lines[number]), number)):
        near = max((end for before, end in ends.items() if before < number), default=0)
        place = _place(script, lines[number], near)
        if place and script.take(*place, number):
            ends[number] = place[1]
    script.share_out([max(len(line) // _BESIDE, 2) for line in lines])


def _place(script: Script, line: str, near: int) -> tuple[int, int] | None:
    """Beginning and end; of several, the one nearest to `near`."""
    if not line:
        return None
    exact = min(script.occurrences(line), key=lambda start: abs(start - near), default=None)
    if exact is not None:
        return exact, exact + len(line)
    if len(line) <= _SHORT:
        return None
    alike = fuzz.partial_ratio_alignment(line, script.letters, score_cutoff=_ALIKE)
    return (alike.dest_start, alike.dest_end) if alike else None
