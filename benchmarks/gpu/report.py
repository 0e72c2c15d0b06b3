"""benchmarks/results/gpu.md."""

from benchmarks import machine
from benchmarks.gpu import goals
from benchmarks.gpu.found import Decode, Found, Model, Served
from benchmarks.gpu.scale import SCALES
from benchmarks.spread import spread

_NO_GPU = """> **No GPU was at hand when this was measured.** What follows is a small network on a CPU, which
> shows that everything runs: {numbers}.
> These figures say nothing about a GPU, nor about the published network. On a machine with a GPU the same
> command measures the real thing: `make bench-gpu`.

"""
_SMALL_ON_GPU = """> **A small network was measured.** These figures say nothing about the published one.

"""
_HEAD = """# DeepSeek-OCR on {device}

{notice}Written by `make bench-gpu`. Weights are chance numbers in the shapes of {shapes}; the end of an
answer is never drawn, so that answers are as long as asked. Medians, with the least and the most of the
rounds in brackets. The roofline is what a step has to read (weights of the experts that its rows are
expected to hit, all other weights, keys and values of the rows' true lengths) by the
{bandwidth}: nothing is taken off for what no kernel reaches.
{problems}"""
_RIVAL = """`generate` of transformers ({experts} experts), one page after the other at base, {tokens} tokens
each, same weights: {seconds} s a page.
"""
_SERVED = """The ocr service, asked over gRPC on loopback by other processes, streaming. First {at_once}
pages at a time of one kind, as `generate` was asked; as many of them share a step as fit into 20 GB. Then
the default settings: pages at once, to see what is the most, and pages that arrive by chance (Poisson),
whoever still waits. Sizes there: {sizes}; answers of {least} to {most} tokens.
First token: from the call, queue and picture included. CPU: all processes of the service; "host": without
the thread that computes the model{core}.
"""


def render(found: Found) -> str:
    """The whole page."""
    parts = [_head(found), "## Goals\n", _goals(found)]
    if found.model:
        parts += ["## The model\n", _model(found.model), "## Decoding\n", _decoding(found)]
        parts += [_rival(found, found.model)]
    parts += ["## Bytes in, text out\n", _served(found), "## Circumstances\n", _circumstances(found)]
    return "\n".join(parts)


def _head(found: Found) -> str:
    place, size = found.place, SCALES[found.scale].dimensions
    assert place is not None
    numbers = (
        f"width {size.hidden}, {size.layers} layers, {size.experts} experts of which {size.chosen}, "
        f"vocabulary {size.vocabulary}, SAM {size.sam} x {size.sam_layers}, "
        f"CLIP {size.clip} x {size.clip_layers}"
    )
    notice = (
        "" if goals.is_full(found) else _SMALL_ON_GPU if place.on_gpu else _NO_GPU.format(numbers=numbers)
    )
    full = found.scale == "full"
    source = "measured reading speed of its memory" if place.measured else "published peak of its memory"
    return _HEAD.format(
        device=place.device if place.on_gpu else "a CPU: no GPU was at hand",
        notice=notice,
        shapes="deepseek-ai/DeepSeek-OCR, bfloat16" if full else "a small network",
        bandwidth=f"{source}, {place.gb_per_second:.0f} GB/s",
        problems="".join(
            f"\nThe part `{part}` is incomplete: {words}.\n" for part, words in found.problems.items()
        ),
    )


def _goals(found: Found) -> str:
    full = goals.is_full(found)
    lines = ["| measure | goal | found | |", "|---|---|---|---|"]
    lines += [goal.row(full=full) for goal in goals.all_goals(found)]
    served = goals.in_time(found.arrivals)
    pages = f"{spread(served.pages_s).shown()} of these rates" if served else "none of these rates"
    where = "" if full else ", by this small network"
    after = f"\nPages a second with a first token within {goals.FIRST_TOKEN_S:g} s (p95){where}: {pages}.\n"
    seconds = (
        "Seconds on an L4 were not measured.\n" if not found.place or " L4" not in found.place.device else ""
    )
    return "\n".join(lines) + "\n" + after + seconds


def _model(model: Model) -> str:
    peak = f"{model.peak_gb:.1f} GB" if model.peak_gb else "not measured here"
    captured = " and captured steps" if model.peak_gb else ""
    said = (
        f"Load, from files that were read before: {_shown(model.load_s)} s. To an engine at the default "
        f"settings, with slots{captured}: {_shown(model.ready_s)} s. "
        f"Memory of the GPU at those settings, at most, allocator capped at 20 GB: {peak}.\n"
    )
    lines = [
        said,
        "| size | prompt tokens | vision ms | prefill ms |",
        "|---|---|---|---|",
    ]
    for size, times in model.vision_ms.items():
        prefill = _shown(model.prefill_ms.get(size, []), 1)
        lines.append(f"| {size} | {model.prompt_tokens.get(size, 0)} | {_shown(times, 1)} | {prefill} |")
    return "\n".join(lines) + "\n"


def _decoding(found: Found) -> str:
    roof = goals.roofline(found)
    lines = [
        "| batch | CUDA graphs | experts | tokens/s | roofline tokens/s | of it |",
        "|---|---|---|---|---|---|",
    ]
    for one in found.model.decode if found.model else ():
        best = roof.tokens_per_second(one.batch, one.context)
        lines.append(f"| {_kind(one)} | {_cells(one, best)} |")
    return "\n".join(lines) + "\n"


def _kind(one: Decode) -> str:
    return f"{one.batch} | {'yes' if one.graphs else 'no'} | {one.experts}"


def _cells(one: Decode, best: float) -> str:
    if not one.tokens_s:
        return f"{one.note or '-'} | {best:.0f} | -"
    part = 100 * spread(one.tokens_s).median / best
    return f"{_shown(one.tokens_s, 0)} | {best:.0f} | {part:.1f} %"


def _rival(found: Found, model: Model) -> str:
    tokens = SCALES[found.scale].rival_tokens
    return _RIVAL.format(experts=model.rival_experts, tokens=tokens, seconds=_shown(model.rival_s))


def _served(found: Found) -> str:
    if found.full_house is None:
        return "Not measured in this run.\n"
    scale = SCALES[found.scale]
    on_gpu = found.place is not None and found.place.on_gpu
    lines = [
        _SERVED.format(
            at_once=found.full_house.at_once,
            sizes=", ".join(scale.sizes),
            least=scale.lengths[0],
            most=scale.lengths[1],
            core="" if on_gpu else ", which has one core of this machine",
        ),
        "| load | pages/s | tokens/s | first token p50 s | p95 s | CPU ms a page | host ms | errors | ends |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {_served_row(one)} |" for one in (found.full_house, *found.arrivals)]
    return "\n".join(lines) + "\n"


def _served_row(one: Served) -> str:
    load = f"{one.rate:.2f}/s arrive" if one.rate else f"{one.at_once} at once"
    ends = ", ".join(f"{count} {reason}" for reason, count in sorted(one.ends.items()))
    figures = (one.pages_s, one.tokens_s, one.first_p50_s, one.first_p95_s, one.cpu_ms, one.host_ms)
    digits = (2, 0, 2, 2, 0, 0)
    cells = [_shown(values, count) for values, count in zip(figures, digits, strict=True)]
    return " | ".join([load, *cells, str(one.errors), ends])


def _circumstances(found: Found) -> str:
    assert found.place is not None
    return (
        f"{found.place.device}. {found.place.versions}.\n"
        f"Measured at commit {found.commit}, written at {machine.commit()}. "
        f"Load of the machine when it began (0 = idle): {found.place.load:.1f}.\n"
    )


def _shown(values: list[float], digits: int = 2) -> str:
    return spread(values).shown(digits) if values else "-"
