"""`pecia jobs`, as a person uses it, against a real HTTP server whose jobs go as the test says."""

import json
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pecia_client.cli import app
from pecia_client.jobs_cli.moments import moment, span
from pecia_client.testing import FakeGateway
from pecia_client.testing.jobs import ScriptedJobs, until
from typer.testing import CliRunner, Result

PDF = b"%PDF-1.7 three pages"


@pytest.fixture
def jobs(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> ScriptedJobs:
    """The jobs of the gateway the command calls."""
    scripted = ScriptedJobs()
    gateway.answer = scripted.answer
    monkeypatch.setenv("PECIA_API_BASE", gateway.url)
    return scripted


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    """A document."""
    path = tmp_path / "thesis.pdf"
    path.write_bytes(PDF)
    return path


def pecia(*words: object, stdin: bytes = b"") -> Result:
    """Run `pecia jobs` in this process."""
    return CliRunner().invoke(app, ["jobs", *map(str, words)], input=stdin)


def finished(jobs: ScriptedJobs, failed: int = 0) -> str:
    """A job of two pages at its end; page `failed` could not be read."""
    job_id = jobs.add(pages=2)
    for number in (1, 2):
        (jobs.fail if number == failed else jobs.done)(job_id, number)
    return job_id


def test_submit_prints_the_id_and_nothing_else(jobs: ScriptedJobs, thesis: Path) -> None:
    """So that scripts can take it; the file is there under its name."""
    result = pecia("submit", thesis)
    (job_id,) = jobs.jobs
    assert (result.exit_code, result.stdout) == (0, f"{job_id}\n")
    assert jobs.jobs[job_id].filename == "thesis.pdf"


def test_every_option_of_submit_arrives(jobs: ScriptedJobs, thesis: Path) -> None:
    """Pages, languages in either form, model, task, priority, moment, webhook, text layer, dpi."""
    words = "-p 1-3,7 -l ind,eng -l deu -m rapid --size Tiny -t markdown --priority high --dpi 150"
    words += " --not-before 2027-01-02T03:04+00:00 --webhook https://example.com/done --no-text-layer"
    assert pecia("submit", thesis, *words.split()).exit_code == 0
    (job,) = jobs.jobs.values()
    del job.form["file"]
    assert job.form == {
        "pages": "1-3,7",
        "languages": "ind,eng,deu",
        "model": "rapid",
        "model_size": "tiny",
        "task_type": "markdown",
        "priority": "high",
        "dpi": "150",
        "not_before": "1798859040.0",
        "webhook_url": "https://example.com/done",
        "text_layer": "off",
    }


def test_a_password_is_asked_for_and_not_shown(jobs: ScriptedJobs, thesis: Path) -> None:
    """It is typed at a prompt, never on the command line, where other people of the machine see it."""
    result = pecia("submit", thesis, "--password-prompt", stdin=b"open sesame\n")
    (job,) = jobs.jobs.values()
    assert job.form["password"] == "open sesame"
    assert "sesame" not in result.output


def test_one_bad_file_does_not_stop_the_others(jobs: ScriptedJobs, thesis: Path, tmp_path: Path) -> None:
    """Its error is told, the others become jobs, exit code 1."""
    result = pecia("submit", tmp_path / "none.pdf", thesis, "-", stdin=PDF)
    assert result.exit_code == 1
    assert result.stdout.split() == list(jobs.jobs)
    assert [job.filename for job in jobs.jobs.values()] == ["thesis.pdf", "stdin"]
    assert "none.pdf cannot be opened" in result.stderr


def test_the_same_key_makes_one_job(jobs: ScriptedJobs, thesis: Path) -> None:
    """A cron job that runs twice; with several files a key is a mistake."""
    first, second = (pecia("submit", thesis, "--idempotency-key", "monday", "--json") for _ in range(2))
    assert json.loads(first.stdout)["replayed"] is False
    assert json.loads(second.stdout) == json.loads(first.stdout) | {"replayed": True}
    assert pecia("submit", thesis, thesis, "--idempotency-key", "monday").exit_code == 2
    assert len(jobs.jobs) == 1


@pytest.mark.parametrize(
    "wrong", [["--not-before", "soon"], ["-t", "locate"], ["--priority", "urgent"], ["--dpi", "9000"]]
)
def test_mistakes_are_told_before_anything_is_sent(
    jobs: ScriptedJobs, thesis: Path, wrong: list[str]
) -> None:
    """Exit code 2, before anything is sent."""
    assert pecia("submit", thesis, *wrong).exit_code == 2
    assert jobs.jobs == {}


def test_staying_writes_the_results(jobs: ScriptedJobs, thesis: Path, tmp_path: Path) -> None:
    """--output waits for the end of every job and writes one file each."""
    results: list[Result] = []
    run = threading.Thread(target=lambda: results.append(pecia("submit", thesis, "-o", tmp_path / "texts")))
    run.start()
    until(lambda: jobs.jobs)
    (job_id,) = jobs.jobs
    for number in (1, 2, 3):
        jobs.done(job_id, number)
    run.join(30)
    (result,) = results
    assert result.exit_code == 0
    assert result.stdout == f"{job_id}\ncompleted: 3 pages in 60 s.\n"
    written = tmp_path / "texts" / "thesis.md"
    assert written.read_text() == "Text of page 1\n\nText of page 2\n\nText of page 3"


def test_watch_ends_as_the_job_does(jobs: ScriptedJobs) -> None:
    """0 completed, 3 with pages missing, 1 failed, 4 cancelled; the last line says what became of it."""
    whole, partial, failed, cancelled = (
        finished(jobs),
        finished(jobs, failed=2),
        jobs.add(pages=1),
        jobs.add(),
    )
    jobs.fail(failed, 1)
    assert pecia("cancel", cancelled).stdout == "cancelled: 0 of 3 pages had been read.\n"
    ends = {job_id: pecia("watch", job_id) for job_id in (whole, partial, failed, cancelled)}
    assert [result.exit_code for result in ends.values()] == [0, 3, 1, 4]
    assert ends[whole].stdout == "completed: 2 pages in 60 s.\n"
    assert ends[partial].stdout.startswith(
        "completed, but 1 of 2 pages could not be read: 2. `pecia jobs resume"
    )
    assert "page 2: The picture is damaged. (code invalid_image)" in ends[partial].stderr
    assert ends[failed].stdout == "failed: No page could be read.\n"


def test_watch_without_a_terminal_says_lines(jobs: ScriptedJobs) -> None:
    """In a log there is no bar; --json is one event a line."""
    job_id = finished(jobs, failed=1)
    assert "\x1b" not in pecia("watch", job_id).output
    events = [json.loads(line) for line in pecia("watch", job_id, "--json").stdout.splitlines()]
    assert [event["event"] for event in events] == ["job", "page", "page", "job"]
    assert events[1]["page"]["error"]["code"] == "invalid_image"


def test_ctrl_c_leaves_the_job_running(jobs: ScriptedJobs, gateway: FakeGateway) -> None:
    """The way back is said, the job is not touched, exit code 130."""
    job_id = jobs.add()
    command = [sys.executable, "-m", "pecia_client", "jobs", "watch", job_id]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        until(lambda: any(asked.path.endswith("/events") for asked in gateway.asked))
        jobs.done(job_id, 1)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"pecia jobs watch {job_id}".encode() in stderr
    assert b"Traceback" not in stderr
    assert {asked.method for asked in gateway.asked} == {"GET"}


def test_a_closed_pipe_is_no_error(jobs: ScriptedJobs) -> None:
    """`pecia jobs list --all | head -1` ends without a word."""
    for number in range(400):
        jobs.add(f"{'long-name-' * 20}{number}.pdf")
    command = [sys.executable, "-m", "pecia_client", "jobs", "list", "--all"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"STATUS")
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_get_writes_what_is_there(jobs: ScriptedJobs, tmp_path: Path) -> None:
    """Markdown on the screen, other formats, a file, one page; before the end only with --partial."""
    job_id = jobs.add(pages=2)
    jobs.done(job_id, 1, "One")
    refused = pecia("get", job_id)
    assert refused.exit_code == 1
    assert "--partial" in refused.stderr
    assert pecia("get", job_id, "--partial").stdout == "One\n\n[page 2 is missing]\n"
    assert pecia("get", job_id, "--page", 1).stdout == "One\n"
    jobs.done(job_id, 2, "Two")
    assert json.loads(pecia("get", job_id, "-f", "json").stdout) == {"pages": ["One", "Two"]}
    assert pecia("get", job_id, "-f", "text", "-o", tmp_path / "out.txt").stdout == ""
    assert (tmp_path / "out.txt").read_text() == "One\n\nTwo"


def test_picture_writes_a_page_as_it_looks(jobs: ScriptedJobs, tmp_path: Path) -> None:
    """Into a file, or to whatever takes it; what cannot be had ends with 1 and says why."""
    job_id, target = jobs.add(pages=2), tmp_path / "page.png"
    assert pecia("picture", job_id, "--page", 1, "--output", target).exit_code == 0
    assert target.read_bytes() == jobs.picture
    assert pecia("picture", job_id, "-p", 2, "--dpi", 72).stdout_bytes == jobs.picture
    refused = pecia("picture", job_id, "-p", 3, "-o", tmp_path / "none.png")
    assert refused.exit_code == 1
    assert "There is no such page." in refused.stderr
    assert not (tmp_path / "none.png").exists()


def test_list_shows_whole_ids(jobs: ScriptedJobs) -> None:
    """However narrow the screen; newest first; a status narrows; more than shown is said."""
    job_id = jobs.add("a-very-long-name-of-a-document-that-fills-the-screen-by-itself.pdf")
    done, partial = finished(jobs), finished(jobs, failed=1)
    result = pecia("list")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [(row[0], row[-1]) for row in rows[1:]] == [
        ("partial", partial),
        ("completed", done),
        ("queued", job_id),
    ]
    assert rows[1][1] == "1/2"
    assert pecia("list", "-s", "queued", "--json").stdout.count("\n") == 1
    assert json.loads(pecia("list", "-n", 1, "--json").stdout)["job_id"] == partial
    assert "--all" in pecia("list", "-n", 1).stderr


def test_resume_and_delete(jobs: ScriptedJobs) -> None:
    """The missing pages or a named one are read again; deleting asks first."""
    job_id = finished(jobs, failed=2)
    assert pecia("resume", job_id).stdout == "processing: 1 of 2 pages (50 %)\n"
    jobs.done(job_id, 2)
    assert pecia("resume", job_id).exit_code == 1
    assert json.loads(pecia("resume", job_id, "--page", 1, "--json").stdout)["processed_pages"] == 1
    jobs.done(job_id, 1)
    assert pecia("delete", job_id, stdin=b"n\n").exit_code == 1
    assert job_id in jobs.jobs
    assert pecia("delete", job_id, "--yes").exit_code == 0
    assert pecia("status", job_id).exit_code == 1


def test_text_of_others_does_not_move_the_cursor(jobs: ScriptedJobs) -> None:
    """Names and errors come from documents and servers."""
    job_id = jobs.add("x.pdf", pages=2)
    jobs.done(job_id, 1)
    jobs.fail(job_id, 2, "\x1b[2J gone")
    result = pecia("watch", job_id)
    assert "\x1b" not in result.output
    assert "gone" in result.stderr


NOON = datetime(2026, 11, 21, 12, 0, tzinfo=timezone(timedelta(hours=7)))


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("+90m", NOON + timedelta(minutes=90)),
        ("22:00", NOON.replace(hour=22)),
        ("6:30", NOON.replace(day=22, hour=6, minute=30)),
        ("2026-12-24T08:00", datetime(2026, 12, 24, 1, 0, tzinfo=UTC)),
        ("2026-12-24T08:00Z", datetime(2026, 12, 24, 8, 0, tzinfo=UTC)),
        ("1800000000", datetime.fromtimestamp(1_800_000_000, UTC)),
    ],
)
def test_moments_are_read_as_people_write_them(said: str, means: datetime) -> None:
    """Where no zone is named, the machine's own."""
    assert moment(said, NOON) == means.timestamp()


def test_spans_are_short() -> None:
    """Seconds, minutes, hours."""
    assert [span(seconds) for seconds in (4.6, 99, 200, 7300)] == ["5 s", "99 s", "3 min", "2 h 2 min"]


@pytest.mark.parametrize("command", ["", "submit", "watch", "get", "list", "resume"])
def test_help_teaches_by_example(command: str) -> None:
    """Every command has lines to copy."""
    lines = pecia(command, "-h").stdout if command else pecia().output
    assert re.search(rf"^ +pecia jobs {command}", lines, re.MULTILINE)
