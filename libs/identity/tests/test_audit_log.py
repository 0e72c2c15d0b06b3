"""The audit log: every act, in a chain that shows what is missing, and nobody waits for it."""

import fcntl
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pecia_identity.audit_log import Act, AuditLog
from pecia_identity.chain import Link, troubles, written
from pecia_identity.settings import AuditSettings
from pydantic import SecretStr


def log_to(path: Path, **changes: Any) -> AuditLog:
    """A log of a service."""
    return AuditLog(AuditSettings(file=str(path), **changes), "test")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """What it says."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def broken(path: Path, secret: bytes = b"") -> list[str]:
    """What is wrong with it."""
    with path.open("rb") as file:
        return [f"{trouble.line}: {trouble.said}" for trouble in troubles(file, secret)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of ten acts."""
    path = tmp_path / "audit.jsonl"
    log = log_to(path)
    for number in range(10):
        log.record(Act("job.created", tenant="acme", key="0123abcd", target=f"job{number}"))
    log.close()
    return path


def test_an_act_says_who_what_when_from_where_and_how_it_ended(tmp_path: Path) -> None:
    """One JSON object a line, with the request's id, readable by its owner alone."""
    path = tmp_path / "audit.jsonl"
    log = log_to(path)
    log.record(Act("key.refused", "refused", "acme", "0123abcd", source="192.0.2.7", detail={"code": "x"}))
    assert log.settled(10)
    log.close()
    (line,) = lines_of(path)
    assert line["what"] == "key.refused"
    assert (line["outcome"], line["tenant"], line["key"]) == ("refused", "acme", "0123abcd")
    assert (line["source"], line["detail"], line["service"]) == ("192.0.2.7", {"code": "x"}, "test")
    assert {"time", "request", "target", "number", "before", "hash"} <= set(line)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", range(1, 9))
def test_a_removed_line_shows(path: Path, place: int) -> None:
    """Wherever it stood between others; the message says how many and which."""
    assert broken(path) == []
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:place] + lines[place + 1 :]))
    number = place + 1
    assert broken(path) == [f"{number}: 1 lines are missing before this one (number {number} to {number})"]


def test_a_changed_moved_or_added_line_shows(path: Path) -> None:
    """And so does half a line."""
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(whole.replace(b"job3", b"job4"))
    assert broken(path) == ["4: this line was changed, or written with another secret"]
    path.write_bytes(b"".join([*lines[:3], lines[4], lines[3], *lines[5:]]))
    assert broken(path)
    path.write_bytes(b"".join([*lines[:3], lines[2], *lines[3:]]))
    assert broken(path)
    path.write_bytes(whole[:-20])
    assert broken(path) == ["10: this is no line of the log, or only a part of one"]


def test_with_a_secret_nobody_else_can_write_the_chain_anew(tmp_path: Path) -> None:
    """Plain hashes can be computed by whoever may write the file; these cannot."""
    path = tmp_path / "audit.jsonl"
    log = log_to(path, secret=SecretStr("kept elsewhere"))
    for _ in range(3):
        log.record(Act("job.deleted"))
    log.close()
    assert broken(path, b"kept elsewhere") == []
    forged, link = b"", Link()
    for line in lines_of(path)[1:]:
        fields = {key: value for key, value in line.items() if key not in {"number", "before", "hash"}}
        text, link = written(fields, link)
        forged += text
    path.write_bytes(forged)
    assert len(broken(path, b"kept elsewhere")) == 2


def test_a_service_that_starts_again_goes_on_with_the_chain(path: Path) -> None:
    """Also where another process has written meanwhile, and after the file was put aside."""
    one, two = log_to(path), log_to(path)
    for _ in range(5):
        for log in (one, two):
            log.record(Act("job.created"))
            assert log.settled(10)
    path.rename(path.with_suffix(".1"))
    one.record(Act("job.created"))
    one.close()
    two.close()
    assert broken(path.with_suffix(".1")) == []
    assert lines_of(path)[0]["number"] > 10
    both = path.with_suffix(".1").read_bytes() + path.read_bytes()
    path.write_bytes(both)
    assert len([said for said in broken(path) if "missing" in said]) <= 1


def test_processes_share_a_log(tmp_path: Path) -> None:
    """Four at once: no line is lost or torn, and the chain is one."""
    path = tmp_path / "audit.jsonl"
    program = (
        "import sys; from pecia_identity.audit_log import *\n"
        "log = AuditLog(AuditSettings(file=sys.argv[1]), 'child')\n"
        "for number in range(200): log.record(Act('job.created', target=str(number)))\n"
        "log.close(60)"
    )
    children = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(4)]
    assert [child.wait(120) for child in children] == [0] * 4
    assert len(lines_of(path)) == 800
    assert broken(path) == []
    assert [line["number"] for line in lines_of(path)] == list(range(1, 801))


def test_a_slow_disk_holds_nobody_up_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    """A lock that somebody else holds stands for it: recording stays quick, and the gap is in the log."""
    path = tmp_path / "audit.jsonl"
    log = log_to(path, max_waiting=50)
    slow = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(slow, fcntl.LOCK_EX)
    took = []
    for number in range(2000):
        began = time.perf_counter()
        log.record(Act("job.created", target=str(number)))
        took.append(time.perf_counter() - began)
    assert statistics.median(took) < 0.005
    assert sum(took) < 10
    assert not log.settled(0.05)
    os.close(slow)
    assert log.settled(10)
    log.close()
    lines = lines_of(path)
    lost = sum(line["detail"]["acts"] for line in lines if line["what"] == "audit.lost")
    assert lost > 1000
    assert len([line for line in lines if line["what"] == "job.created"]) + lost == 2000
    assert broken(path) == []


def test_a_disk_that_refuses_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is missing: the log of the service says so, and nothing is lost when it is there."""
    path = tmp_path / "later" / "audit.jsonl"
    log = log_to(path)
    log.record(Act("job.created"))
    assert not log.settled(0.3)
    path.parent.mkdir()
    assert log.settled(10)
    log.close()
    assert len(lines_of(path)) == 1
    assert "cannot be written" in caplog.text


def test_who_tries_keys_does_not_fill_the_disk(tmp_path: Path) -> None:
    """Twenty refusals a second are told, the others counted."""
    path = tmp_path / "audit.jsonl"
    log = log_to(path)
    for _ in range(5000):
        log.record(Act("key.refused", "refused"))
    log.record(Act("job.created"))
    log.close()
    lines = lines_of(path)
    told = [line for line in lines if line["what"] == "key.refused"]
    lost = sum(line["detail"]["acts"] for line in lines if line["what"] == "audit.lost")
    assert len(told) <= 200
    assert len(told) + lost == 5000


def test_without_a_file_nothing_runs() -> None:
    """No thread, no line."""
    before = threading.active_count()
    log = AuditLog(AuditSettings(), "test")
    log.record(Act("job.created"))
    log.close()
    assert threading.active_count() == before
