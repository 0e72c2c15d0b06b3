"""What processes say about themselves, read back from a real process's stderr."""

import asyncio
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from pecia_core.errors import ERROR_CODES
from pecia_core.telemetry import (
    RequestMetrics,
    memory_usage_event,
    new_request_id,
    processing_time_event,
    request_id,
    resident_bytes,
)
from prometheus_client import CollectorRegistry, generate_latest

PRELUDE = """
import logging
from pecia_core.telemetry import configure_logging, request_id
configure_logging("ocr")
log = logging.getLogger("pecia_ocr.pipeline")
"""


def logged(program: str) -> list[dict[str, Any]]:
    """Run a program in a fresh process and parse every line of its stderr as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


class TestLines:
    def test_a_line_says_when_who_and_what(self) -> None:
        """The seven agreed fields, and `extra` beside them."""
        (line,) = logged(
            'request_id.set("req_1"); log.info("call", extra={"method": "Recognize", "ms": 1.5})'
        )
        assert line.pop("time").endswith("+00:00")
        assert line == {
            "level": "INFO",
            "logger": "pecia_ocr.pipeline",
            "event": "call",
            "service": "ocr",
            "request_id": "req_1",
            "method": "Recognize",
            "ms": 1.5,
        }

    def test_an_exception_is_one_line(self) -> None:
        """A traceback has many lines and one record: log collectors see it whole."""
        (line,) = logged("try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('two\\nlines')")
        assert line["event"] == "two\nlines"
        assert line["exc_info"].startswith("Traceback")
        assert line["exc_info"].endswith("ZeroDivisionError: division by zero")

    def test_levels_below_the_configured_one_are_silent(self) -> None:
        """INFO by default; DEBUG when asked for."""
        assert logged('log.debug("no")') == []
        (line,) = logged('configure_logging("ocr", "debug"); log.debug("yes")')
        assert line["event"] == "yes"

    def test_configuring_again_does_not_double_the_lines(self) -> None:
        """Tests and reloads configure more than once; the last one counts."""
        (line,) = logged('configure_logging("ui"); log.info("once")')
        assert line["service"] == "ui"

    def test_what_json_does_not_know_is_still_logged(self) -> None:
        """An odd value in `extra`, or half a surrogate pair, costs no record."""
        (line,) = logged('log.info("odd \\ud800", extra={"value": object(), "bytes": b"x"})')
        assert line["event"] == "odd \ud800"

    def test_a_log_call_that_is_wrong_does_not_stop_the_work(self) -> None:
        """Logging never breaks what it tells of; the complaint goes to stderr."""
        program = PRELUDE + 'log.info("%d", "x"); print("went on")'
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout == "went on\n"
        assert "Logging error" in done.stderr

    def test_an_unknown_level_is_refused(self) -> None:
        """A typing error in the settings shows at the start."""
        with pytest.raises(subprocess.CalledProcessError):
            logged('configure_logging("ocr", "LOUD")')


class TestOtherPeoplesLoggers:
    def test_warnings_are_lines(self) -> None:
        """Python's warnings go the same way."""
        (line,) = logged('import warnings; warnings.warn("old", UserWarning)')
        assert line["logger"] == "py.warnings"
        assert "old" in line["event"]

    @pytest.mark.parametrize("name", ["uvicorn.error", "grpc._cython.cygrpc", "asyncio", "httpx"])
    def test_libraries_write_the_same_lines(self, name: str) -> None:
        """Whatever a library logs has our fields."""
        (line,) = logged(f'logging.getLogger("{name}").warning("theirs")')
        assert (line["logger"], line["event"], line["service"]) == (name, "theirs", "ocr")

    @pytest.mark.parametrize("name", ["httpx", "httpcore.connection", "uvicorn.access"])
    def test_lines_with_addresses_are_left_out(self, name: str) -> None:
        """Access logs of libraries hold URLs, which can hold file names and keys."""
        assert logged(f'logging.getLogger("{name}").info("GET /?key=secret")') == []

    def test_a_logger_with_a_terminal_handler_of_its_own_is_claimed(self) -> None:
        """A library that was imported before and writes to stderr itself now writes our lines, once."""
        (line,) = logged(
            'theirs = logging.getLogger("theirs"); theirs.addHandler(logging.StreamHandler()); '
            'theirs.propagate = False; configure_logging("ocr"); theirs.warning("mine now")'
        )
        assert line["event"] == "mine now"

    def test_a_logger_made_later_is_claimed_too(self) -> None:
        """Streamlit gives each of its loggers a terminal handler when it makes it."""
        (line,) = logged(
            'theirs = logging.getLogger("later"); theirs.propagate = False; '
            'theirs.addHandler(logging.StreamHandler()); theirs.warning("claimed")'
        )
        assert line["event"] == "claimed"

    def test_streamlits_loggers_write_the_same_lines(self) -> None:
        """The real ones, before and after Streamlit formats them again."""
        lines = logged(
            "import streamlit.logger as theirs\n"
            'theirs.get_logger("streamlit.web").info("one"); theirs.update_formatter()\n'
            'theirs.get_logger("streamlit.web").info("two")'
        )
        assert [line["event"] for line in lines if line["logger"] == "streamlit.web"] == ["one", "two"]

    def test_handlers_with_a_purpose_are_kept(self) -> None:
        """A file somebody asked for still gets its records."""
        program = (
            "import io\nmemory = io.StringIO()\n"
            'kept = logging.getLogger("kept"); kept.addHandler(logging.StreamHandler(memory))\n'
            'configure_logging("ocr"); kept.warning("both"); assert memory.getvalue() == "both\\n"'
        )
        (line,) = logged(program)
        assert line["event"] == "both"


class TestRequestIds:
    def test_ids_are_new_and_look_like_ids(self) -> None:
        """Ten thousand ids are ten thousand different ones."""
        ids = {new_request_id() for _ in range(10_000)}
        assert len(ids) == 10_000
        assert all(id_.startswith("req_") and id_.isascii() for id_ in ids)

    async def test_concurrent_requests_keep_their_own(self) -> None:
        """Tasks that run at the same time never see each other's id."""

        async def request(own: str) -> str:
            request_id.set(own)
            await asyncio.sleep(0)
            return await asyncio.create_task(inner())

        async def inner() -> str:
            await asyncio.sleep(0)
            return request_id.get()

        owns = [f"req_{number}" for number in range(50)]
        assert await asyncio.gather(*map(request, owns)) == owns

    def test_outside_a_request_it_is_empty(self) -> None:
        """Start-up lines belong to no request."""
        (line,) = logged('log.info("Loading")')
        assert line["request_id"] == ""


class TestEvents:
    def test_processing_time_reads_as_it_always_did(self) -> None:
        """Searches and alerts know the event word by word."""
        assert processing_time_event(1234.4) == "OCR processing time: 1234ms"
        assert processing_time_event(0.2) == "OCR processing time: 0ms"

    def test_memory_usage_reads_as_it_always_did(self) -> None:
        """Megabytes without a space, rounded."""
        assert memory_usage_event(512 << 20) == "Memory usage: 512MB"

    def test_resident_memory_is_what_the_kernel_counts(self) -> None:
        """This process holds at least what it allocates, and a process that is gone holds nothing."""
        before = resident_bytes()
        block = bytearray(64 << 20)
        block[::4096] = b"x" * len(block[::4096])
        assert resident_bytes() - before > 32 << 20
        assert resident_bytes(2**22 + 1) == 0
        del block


class TestMetrics:
    def test_the_agreed_names_are_exposed(self) -> None:
        """Dashboards know these names and labels."""
        registry = CollectorRegistry()
        RequestMetrics(registry, "ocr").observe_call("Recognize", "ok", 1.5, "rapid")
        text = generate_latest(registry).decode()
        labels = 'engine="rapid",route="Recognize",service="ocr"'
        assert f'ocr_requests_total{{code="ok",{labels}}} 1.0' in text
        assert f"ocr_processing_seconds_sum{{{labels}}} 1.5" in text
        assert 'pecia_resident_memory_bytes{service="ocr"}' in text

    def test_memory_is_measured_when_it_is_asked_for(self) -> None:
        """The gauge is not a number from the start of the process."""
        registry = CollectorRegistry()
        RequestMetrics(registry, "ocr")
        measured = registry.get_sample_value("pecia_resident_memory_bytes", {"service": "ocr"})
        assert measured is not None
        assert abs(measured - resident_bytes()) < 64 << 20

    @pytest.mark.parametrize("code", ["ok", *sorted(ERROR_CODES)])
    def test_every_known_code_is_counted_as_itself(self, code: str) -> None:
        """No error of ours hides among the others."""
        registry = CollectorRegistry()
        RequestMetrics(registry, "gateway").observe_call("/v1/ocr", code, 0.1)
        labels = {"service": "gateway", "route": "/v1/ocr", "engine": "", "code": code}
        assert registry.get_sample_value("ocr_requests_total", labels) == 1.0

    def test_labels_do_not_grow_with_what_callers_send(self) -> None:
        """A thousand invented routes, engines and codes make a bounded number of series."""
        registry = CollectorRegistry()
        metrics = RequestMetrics(registry, "gateway")
        for number in range(1000):
            metrics.observe_call(f"/{number}", f"code{number}", 0.1, f"engine{number}")
        samples = [sample for family in registry.collect() for sample in family.samples]
        assert len({sample.labels.get("route") for sample in samples} - {None}) <= 65
        counted = [sample.value for sample in samples if sample.name == "ocr_requests_total"]
        assert sum(counted) == 1000

    def test_registries_do_not_share(self) -> None:
        """Two services in one test process count apart: nothing is global."""
        first, second = CollectorRegistry(), CollectorRegistry()
        RequestMetrics(first, "ocr").observe_call("Recognize", "ok", 1.0)
        RequestMetrics(second, "ocr")
        assert "ocr_requests_total{" not in generate_latest(second).decode()


def test_the_library_leaves_this_process_alone() -> None:
    """Importing the package configures nothing: only a composition root does."""
    assert type(logging.getLogger("made in this test")) is logging.Logger
