"""benchmarks/results/textlayer.md."""

from collections.abc import Sequence

from pecia_core.pdf import Verdict
from pecia_core.pdf.layer import REASONS

from benchmarks import machine
from benchmarks.spread import spread
from benchmarks.textlayer.measuring import PageFound

_HEAD = """# Text layers that may be believed

Written by `make bench-textlayer DATA=<folder>`. A page whose text layer is trusted costs no OCR; one that
is trusted wrongly says what nobody sees. So the second error is the one that matters: in doubt, OCR.
`a person says`: `digital` = the layer is right and whole, `scan` = the page is a picture, `mixed` = part of
what it says is in no layer, empty = nobody has looked. Times are CPU-ms in the child.
"""


def render(found: Sequence[PageFound], load: float) -> str:
    """The whole page."""
    return "\n".join((_HEAD, _summary(found), _table(found), _circumstances(load)))


def _summary(found: Sequence[PageFound]) -> str:
    trusted = sum(page.verdict is Verdict.TRUSTED for page in found)
    share = 100 * trusted / max(1, len(found))
    wrongly = sum(page.falsely_trusted for page in found), sum(page.falsely_doubted for page in found)
    lines = [f"{len(found)} pages, {trusted} trusted ({share:.0f} %)."]
    lines += [f"Of {sum(bool(page.said) for page in found)} that people looked at,"]
    lines += [f"{wrongly[0]} were trusted wrongly and {wrongly[1]} doubted wrongly."]
    if found:
        text, drawn = spread([page.text_ms for page in found]), spread([page.render_ms for page in found])
        lines += [f"Reading and judging a layer: {text.shown(0)} ms, median (least-most);"]
        lines += [f"drawing: {drawn.shown(0)} ms."]
    return "\n".join(lines) + "\n"


def _table(found: Sequence[PageFound]) -> str:
    lines = ["| page | a person says | verdict | characters | ms |", "|---|---|---|---|---|"]
    for page in found:
        mark = "**" if page.falsely_trusted else ""
        verdict = f"{mark}{page.verdict}{mark}"
        cells = (page.name, page.said, verdict, str(page.characters), f"{page.text_ms:.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    used = sorted({page.verdict for page in found})
    return "\n".join((*lines, "", *(f"- {verdict}: {REASONS[verdict]}" for verdict in used))) + "\n"


def _circumstances(load: float) -> str:
    return f"Load {load:.1f} before and {machine.load():.1f} after.\n{machine.circumstances()}"
