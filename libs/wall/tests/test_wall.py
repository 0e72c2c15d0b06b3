"""Walls: what they leave, what they take, and what is said where a kernel has less."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from pecia_wall import Bearing, WallMissing, calls, landlock, probe, seccomp
from pecia_wall.landlock import Access

DEEDS = Path(__file__).with_name("deeds.py")
WHOLE = Bearing(6, seccomp=True, no_new_privs=True)


def inside(wall: str, then: str) -> subprocess.CompletedProcess[str]:
    """Run a program that puts up a wall, in the names of `pecia_wall.wall` and `calls`, and goes on."""
    program = (
        "import os, sys, socket, pathlib, signal, threading\n"
        "from pecia_wall.wall import *; from pecia_wall.calls import *\n"
        f"from pecia_wall import *; from pecia_wall.landlock import *\nbearing = {wall}\n{then}"
    )
    return subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)


def test_this_machine_holds_all_walls() -> None:
    """The tests of what walls stop mean something only then; elsewhere they would fail, and say so here."""
    assert probe.check(required=True).missing == ()


@pytest.mark.parametrize("bearing", [Bearing(), WHOLE, Bearing(3, seccomp=False, no_new_privs=True)])
def test_what_holds_is_told_in_a_word(bearing: Bearing) -> None:
    """From child to parent, and in the log."""
    assert Bearing.parsed(str(bearing)) == bearing


@pytest.mark.parametrize("text", ["", "seccomp", "7 seccomp", "x+seccomp"])
def test_another_word_is_none(text: str) -> None:
    """A child that speaks nonsense holds nothing."""
    with pytest.raises(ValueError, match="invalid literal"):
        Bearing.parsed(text)


def test_what_is_missing_is_named() -> None:
    """With the version of the kernel that has it; seccomp makes up for younger rules of Landlock."""
    assert WHOLE.missing == Bearing(1, seccomp=True, no_new_privs=True).missing == ()
    assert "Landlock, Linux 5.13" in Bearing(0, seccomp=True, no_new_privs=True).missing[0]
    assert len(Bearing().missing) == 5


def test_only_what_rules_name_can_be_opened(tmp_path: Path) -> None:
    """Files and folders below it, to read; neither above nor beside it, and nothing to write."""
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown/file").write_text("yes")
    (tmp_path / "beside").write_text("no")
    done = inside(
        f"Wall(COMPUTING, rules=reading('{tmp_path}/shown', '/nowhere')).enter(required=True)",
        f"print(open('{tmp_path}/shown/file').read(), os.listdir('{tmp_path}/shown'))\n"
        f"os.chdir('{tmp_path}')\n"
        "for how in (('beside', 'r'), ('shown/file', 'w'), ('shown/new', 'w')):\n"
        "    try: open(*how)\n"
        "    except PermissionError as error: print(type(error).__name__)",
    )
    assert done.stdout.split() == ["yes", "['file']", *["PermissionError"] * 3]
    assert (tmp_path / "shown/file").read_text() == "yes"


def test_programs_run_only_where_rules_say() -> None:
    """What an engine is made of may run; a shell beside it may not."""
    done = inside(
        "Wall(COMPUTING, rules=(*reading('/usr', '/lib', '/lib64', '/etc'), "
        "*running('/bin/echo', '/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'))).enter()",
        "print(os.spawnv(os.P_WAIT, '/bin/echo', ['echo', 'ran']), os.spawnv(os.P_WAIT, '/bin/sh', ['sh']))",
    )
    assert done.stdout.split() == ["ran", "0", "127"]


def test_threads_would_stay_outside_so_there_may_be_none() -> None:
    """A wall holds the thread that puts it up, and what that starts later."""
    done = inside(
        "threading.Thread(target=threading.Event().wait, daemon=True).start()", "Wall(COMPUTING).enter()"
    )
    assert "RuntimeError: a wall is put up before threads start; 2 run" in done.stderr


def test_threads_that_start_later_are_inside() -> None:
    """An engine computes with many."""
    done = inside(
        "Wall(COMPUTING).enter()",
        "def look():\n"
        "    try: open('/etc/passwd')\n"
        "    except PermissionError: print('refused')\n"
        "thread = threading.Thread(target=look); thread.start(); thread.join()",
    )
    assert done.stdout == "refused\n"


@pytest.mark.parametrize(("calls_name", "alive"), [("COMPUTING", True), ("FORKING", False)])
def test_who_asks_for_what_no_honest_work_needs_is_ended(calls_name: str, *, alive: bool) -> None:
    """An engine is refused, a decoder is killed: nobody knows what it is by then."""
    done = inside(
        f"Wall({calls_name}).enter()", "import ctypes; ctypes.CDLL(None).unshare(0); os.write(1, b'alive')"
    )
    assert (done.stdout == "alive", done.returncode == 0) == (alive, alive)


def test_signals_reach_only_whom_one_has_started() -> None:
    """A process that waits for pictures can end the one that decodes, and nobody else."""
    done = inside(
        "(parent := os.getppid()) and Wall(FORKING).enter()",
        "child = os.fork()\n"
        "while not child: pass\n"
        "os.kill(child, signal.SIGKILL); os.write(1, b'%d ' % os.waitpid(child, 0)[1])\n"
        "try: os.kill(parent, 0)\n"
        "except PermissionError: os.write(1, b'refused')",
    )
    assert done.stdout == "9 refused"


def test_limits_hold_for_what_is_started_later() -> None:
    """Memory, files and core dumps; a machine that allows less keeps the last word."""
    done = inside(
        "Limits(memory_bytes=1 << 30, open_files=20).apply()",
        "import resource; print(resource.getrlimit(resource.RLIMIT_AS)[0] >> 20, "
        "resource.getrlimit(resource.RLIMIT_CORE)[1], resource.getrlimit(resource.RLIMIT_FSIZE)[1])\n"
        "try: bytearray(2 << 30)\n"
        "except MemoryError: print('no memory')\n"
        "Limits(memory_bytes=4 << 30).apply(); print(resource.getrlimit(resource.RLIMIT_AS)[0] >> 20)",
    )
    assert done.stdout.split("\n")[:3] == ["1024 0 0", "no memory", "1024"]


def test_every_filter_is_one_that_the_kernel_takes() -> None:
    """Names of calls that libseccomp does not know are passed over, on any architecture."""
    for wanted in (calls.DECODING, calls.FORKING, calls.DRAWING, calls.COMPUTING, calls.COMPUTING_ON_GPU):
        steps = seccomp.compiled(wanted)
        assert steps
        assert len(steps) % 8 == 0
        assert len(steps) // 8 < 4096


def test_older_kernels_are_asked_only_for_what_they_know() -> None:
    """Each version of Landlock knows more rights than the one before, and refuses unknown ones."""
    known = [landlock._handled(version).bit_count() for version in range(1, 8)]
    assert known == [13, 14, 15, 15, 16, 16, 16]
    assert Access.KEEP & ~landlock._handled(7) == 0


def test_a_service_says_what_is_missing_and_may_refuse_to_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning that names it, or an error that says what to do."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(probe, "_found", lambda: Bearing(0, seccomp=True, no_new_privs=True))
    assert probe.check(required=False).landlock == 0
    assert "less than all walls" in caplog.text
    with pytest.raises(WallMissing, match=r"PECIA_WALL__REQUIRED is on.*Landlock, Linux 5.13"):
        probe.check(required=True)
    monkeypatch.setattr(probe, "_found", lambda: WHOLE)
    probe.check(required=True)
    assert "opened behind walls" in caplog.text
