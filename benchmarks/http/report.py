"""benchmarks/results/http.md."""

from benchmarks import machine
from benchmarks.http.measuring import CONCURRENCIES, Found, Loaded
from benchmarks.rivals.venvs import pinned
from benchmarks.spread import percentile

_HEAD = """# Our services beside rapidocr_api

Written by `make bench-http`. Two servers, one after the other, with the same {pictures} pictures: our ocr
service and gateway (rapid engine only), and rapidocr_api 0.2.0 with its defaults. A second process sends
them over loopback, so many at a time, each connection its next request when it has the last answer, for
{seconds:.0f} s; what is under way then is waited for and counted. Ours get `Cache-Control: no-cache`, so that
everything is read. Every picture has been read once before. CPU and memory are those of all processes
of a server.
"""
_ADDED = """The scripted engine takes no time, so that what is left is ours: what the caller waits, minus the
time of the engine in the reply's timings. The picture is a PNG of 1 MB, one request after the other; any
engine has to decode it, which is listed apart.
"""


def render(found: Found, pictures: int, seconds: float) -> str:
    """The whole page."""
    parts = [
        _HEAD.format(pictures=pictures, seconds=seconds),
        _table(found),
        "## Goals\n",
        _goals(found),
        "## What gateway and gRPC add\n",
        _ADDED,
        _added(found),
        "## Circumstances\n",
        machine.circumstances() + f"rapidocr_api: {_versions()}.\n"
        f"Load of the machine when it began (0 = idle): {found.load:.1f}.\n",
    ]
    return "\n".join(parts)


def added_ms(found: Found) -> tuple[list[float], list[float]]:
    """Milliseconds a request waits beyond the engine; with decoding, and without."""
    whole = [timing["client_ms"] - timing["engine_ms"] for timing in found.added.timings]
    bare = [wait - timing["decode_ms"] for wait, timing in zip(whole, found.added.timings, strict=True)]
    return whole, bare


def requests_a_second(loaded: Loaded) -> float:
    """Answers by the time until the last of them."""
    return len(loaded.outcome.seconds) / loaded.outcome.wall_s


def _table(found: Found) -> str:
    lines = [
        "| server | at a time | requests/s | p50 s | p95 s | answers | errors | CPU-s each | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, loads in found.loads.items():
        for concurrency, loaded in loads.items():
            lines.append(f"| {name} | {concurrency} | {_cells(loaded)} |")
    return "\n".join(lines) + "\n"


def _cells(loaded: Loaded) -> str:
    seconds = loaded.outcome.seconds
    answered = len(seconds)
    if not answered:
        return f"- | - | - | 0 | {loaded.outcome.errors} | - | {loaded.spent.peak_mb:.0f}"
    return (
        f"{requests_a_second(loaded):.2f} | {percentile(seconds, 0.5):.2f} | {percentile(seconds, 0.95):.2f} "
        f"| {answered} | {loaded.outcome.errors} | {loaded.spent.cpu_s / answered:.2f} "
        f"| {loaded.spent.peak_mb:.0f}"
    )


def _goals(found: Found) -> str:
    lines = ["| measure | goal | found | |", "|---|---|---|---|"]
    ours, theirs = found.loads.get("pecia", {}), found.loads.get("rapidocr_api", {})
    for concurrency in CONCURRENCIES[1:]:
        us, them = ours.get(concurrency), theirs.get(concurrency)
        if us and them and them.outcome.seconds:
            ratio = requests_a_second(us) / requests_a_second(them)
            verdict = _verdict(reached=ratio >= 4.5, missing=1 - ratio / 4.5)
            lines.append(
                f"| requests a second, {concurrency} at a time | 4.5 x | {ratio:.2f} x | {verdict} |"
            )
            if concurrency == CONCURRENCIES[-1]:
                part = percentile(us.outcome.seconds, 0.95) / percentile(them.outcome.seconds, 0.95)
                verdict = _verdict(reached=part <= 0.25, missing=part / 0.25 - 1)
                lines.append(f"| p95, {concurrency} at a time | at most 0.25 | {part:.2f} | {verdict} |")
    if found.added.timings:
        waits = percentile(added_ms(found)[1], 0.5)
        word = "reached" if waits < 8 else f"not reached: {waits - 8:.1f} ms more"
        lines.append(f"| added by gateway and gRPC, 1 MB, p50 | under 8 ms | {waits:.1f} ms | {word} |")
    return "\n".join(lines) + "\n"


def _verdict(*, reached: bool, missing: float) -> str:
    if reached:
        return "reached"
    if machine.has_bf16():
        return f"not reached: off by {100 * missing:.0f} %"
    return f"cannot be shown here: off by {100 * missing:.0f} %, but this processor has no bf16"


def _added(found: Found) -> str:
    if not found.added.timings or found.scripted is None:
        return "Not measured in this run.\n"
    whole, bare = added_ms(found)
    rate, spent = requests_a_second(found.scripted), found.scripted.spent.cpu_s
    answers = len(found.scripted.outcome.seconds)
    return (
        f"| | p50 ms | p95 ms |\n|---|---|---|\n"
        f"| gateway, gRPC, queue | {percentile(bare, 0.5):.1f} | {percentile(bare, 0.95):.1f} |\n"
        f"| the same and decoding | {percentile(whole, 0.5):.1f} | {percentile(whole, 0.95):.1f} |\n\n"
        f"Small pictures, 16 at a time: {rate:.0f} requests a second on this machine, caller and engine "
        f"included; the gateway answers {answers / spent:.0f} requests for each second of its core, with "
        f"{found.scripted.outcome.errors} errors.\n"
    )


def _versions() -> str:
    pins = pinned("rapidocr-api")
    wanted = ("rapidocr-api", "rapidocr", "onnxruntime", "fastapi", "uvicorn")
    return ", ".join(f"{name} {pins[name]}" for name in wanted)
