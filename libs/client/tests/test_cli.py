"""The `pecia` command, as a person uses it, against a real HTTP server."""

import json
import signal
import subprocess
import sys
import tomllib
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest
from pecia_client.cli import app
from pecia_client.testing import Answer, Asked, FakeGateway
from pecia_core.keys import parse_keys
from typer.testing import CliRunner, Result

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def reads(gateway: FakeGateway, chat: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    """A gateway that reads the letters after the PNG header, and refuses files that hold BAD."""
    monkeypatch.setenv("PECIA_API_BASE", gateway.url)

    def answer(asked: Asked) -> Answer:
        (part,) = asked.json()["messages"][0]["content"]
        url = part["image_url"]["url"] if "image_url" in part else part["file"]["file_data"]
        text = _decoded(url).removeprefix(PNG).decode()
        if text == "BAD":
            error = {"message": "This is not a picture.", "code": "invalid_image"}
            return Answer.of({"error": error}, 400, x_request_id="req-bad")
        body = chat | {"choices": [{"message": {"content": text}}]}
        return Answer.of(body, x_request_id="req-good")

    gateway.answer = answer
    return gateway


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a.png, b.png (not readable) and c.png."""
    for name, text in (("a", "Alpha"), ("b", "BAD"), ("c", "Gamma")):
        (tmp_path / f"{name}.png").write_bytes(PNG + text.encode())
    return tmp_path


def _decoded(url: str) -> bytes:
    return b64decode(url.partition(",")[2])


def pecia(*words: object, stdin: bytes = b"") -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(word) for word in words], input=stdin)


def test_text_goes_to_standard_output_and_nothing_else(reads: FakeGateway, pictures: Path) -> None:
    """One file: its text and a newline on stdout, so that pipes get just that."""
    result = pecia("ocr", pictures / "a.png")
    assert (result.exit_code, result.stdout) == (0, "Alpha\n")
    assert "note: another engine answered" in result.stderr


def test_a_file_that_fails_does_not_stop_the_others(reads: FakeGateway, pictures: Path) -> None:
    """The bad one is told with message, code, request id and next step; the rest is read; exit code 1."""
    files = [pictures / f"{name}.png" for name in "abc"]
    result = pecia("ocr", *files, "--concurrency", 3)
    assert result.exit_code == 1
    assert result.stdout == f"==> {files[0]} <==\nAlpha\n\n==> {files[2]} <==\nGamma\n"
    assert f"{files[1]}: This is not a picture." in result.stderr
    assert "(code invalid_image, request req-bad)" in result.stderr
    assert "Open the file in a viewer" in result.stderr
    assert "2 of 3 files were read." in result.stderr
    assert "Traceback" not in result.output


def test_output_writes_one_file_each(reads: FakeGateway, pictures: Path, tmp_path: Path) -> None:
    """With --output the results are files named after the pictures, and stdout stays empty."""
    out = tmp_path / "new" / "texts"
    result = pecia("ocr", *sorted(pictures.glob("*.png")), "-o", out)
    assert result.stdout == ""
    assert {path.name: path.read_text() for path in out.iterdir()} == {"a.txt": "Alpha\n", "c.txt": "Gamma\n"}


def test_inputs_of_one_name_do_not_overwrite_each_other(reads: FakeGateway, tmp_path: Path) -> None:
    """x/p.png, y/p.png and p.jpg become three files."""
    files = [tmp_path / name for name in ("x/p.png", "y/p.png", "p.jpg")]
    for number, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(PNG + str(number).encode())
    pecia("ocr", *files, "-o", tmp_path / "out")
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert written == {"p.png.txt": "0\n", "p.png-2.txt": "1\n", "p.jpg.txt": "2\n"}


def test_json_is_one_object_a_line(reads: FakeGateway, pictures: Path) -> None:
    """--format json gives everything known, one line per file."""
    result = pecia("ocr", pictures / "a.png", pictures / "c.png", "-f", "json")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["file"], first["text"], first["request_id"]) == (
        str(pictures / "a.png"),
        "Alpha",
        "req-good",
    )
    assert second["pages"][0]["blocks"][0]["lines"][0]["text"] == "Total 4.50"


def test_markdown_asks_for_markdown(reads: FakeGateway, pictures: Path) -> None:
    """--format markdown sets the task, unless --task says otherwise."""
    pecia("ocr", pictures / "a.png", "-f", "markdown")
    pecia("ocr", pictures / "a.png", "-f", "markdown", "-t", "lines")
    assert [asked.json()["task_type"] for asked in reads.asked] == ["markdown", "lines"]


def test_every_option_reaches_the_gateway(reads: FakeGateway, pictures: Path) -> None:
    """Model, size, task, ref text, languages and key arrive."""
    options = [
        "-m",
        "rapid",
        "--size",
        "Tiny",
        "-t",
        "locate",
        "--ref-text",
        "Total",
        "-l",
        "ind",
        "-l",
        "eng",
        "--api-key",
        "k1",
    ]
    assert pecia("ocr", pictures / "a.png", *options).exit_code == 0
    (asked,) = reads.asked
    said = asked.json()
    del said["messages"]
    assert said == {
        "model": "rapid",
        "model_size": "tiny",
        "task_type": "locate",
        "ref_text": "Total",
        "languages": ["ind", "eng"],
    }
    assert asked.headers["authorization"] == "Bearer k1"


def test_a_page_can_be_read_although_its_result_is_kept(reads: FakeGateway, pictures: Path) -> None:
    """--no-cache is said to the gateway; without it nothing is."""
    pecia("ocr", pictures / "a.png", "--no-cache")
    pecia("ocr", pictures / "a.png")
    assert [asked.headers.get("cache-control") for asked in reads.asked] == ["no-cache", None]


def test_a_dash_is_standard_input(reads: FakeGateway) -> None:
    """`pecia ocr -` reads the picture from a pipe."""
    result = pecia("ocr", "-", stdin=PNG + b"Piped")
    assert (result.exit_code, result.stdout) == (0, "Piped\n")


def test_locate_without_words_is_a_usage_error(reads: FakeGateway, pictures: Path) -> None:
    """Exit code 2 before anything is sent."""
    result = pecia("ocr", pictures / "a.png", "-t", "locate")
    assert result.exit_code == 2
    assert "--ref-text" in result.stderr
    assert reads.asked == []


def test_files_that_cannot_be_opened_are_told(reads: FakeGateway, tmp_path: Path) -> None:
    """A missing file and a folder are errors of their own, without tracebacks."""
    result = pecia("ocr", tmp_path / "none.png", tmp_path)
    assert result.exit_code == 1
    assert "none.png cannot be opened: No such file or directory" in result.stderr
    assert f"{tmp_path} is a folder; name its files: {tmp_path}/*" in result.stderr


def test_an_unreachable_gateway_says_what_to_do(pictures: Path) -> None:
    """Nothing listens: the address and `pecia up` are named."""
    result = pecia("ocr", pictures / "a.png", "--api-base", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "Nothing answers at http://127.0.0.1:9." in result.stderr
    assert "`pecia up`" in result.stderr


def test_models_are_a_table(gateway: FakeGateway) -> None:
    """`pecia models` prints ids, who answers for them, and whether it is ready."""
    card = {"id": "auto", "owned_by": "pecia", "created": 1, "engine": "rapid", "state": "ready"}
    gateway.answer = lambda _: Answer.of({"data": [card]})
    result = pecia("models", "--api-base", gateway.url)
    assert result.exit_code == 0
    assert result.stdout.split() == ["model", "engine", "state", "auto", "rapid", "ready"]


def test_a_new_key_opens_what_its_lines_describe() -> None:
    """What stands on stdout is TOML the services read; the key itself is only shown, and it fits."""
    result = pecia("keys", "new", "--tenant", "odoo")
    key = next(line.strip() for line in result.stderr.splitlines() if line.strip().startswith("pk_"))
    record = parse_keys(result.stdout).find(key)
    assert record is not None
    assert record.tenant == "odoo"
    assert key not in result.stdout
    assert tomllib.loads(result.stdout)["keys"][0]["trusted"] is False


def test_a_bad_tenant_is_a_usage_error() -> None:
    """Exit code 2 and the rule."""
    result = pecia("keys", "new", "--tenant", "a b")
    assert result.exit_code == 2
    assert "letters" in result.stderr


@pytest.mark.parametrize("words", [["--help"], ["ocr", "--help"], ["models", "-h"], ["keys", "new", "-h"]])
def test_help_is_there(words: list[str]) -> None:
    """Every command explains itself."""
    result = pecia(*words)
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_help_teaches_by_example() -> None:
    """`pecia ocr --help` has lines to copy."""
    assert "pecia ocr page.png -f json | jq .pages" in pecia("ocr", "--help").stdout


@pytest.fixture
def stuck(gateway: FakeGateway) -> Iterator[FakeGateway]:
    """A gateway that takes a request and does not answer."""
    release = Event()

    def answer(_asked: Asked) -> Answer:
        release.wait(60)
        return Answer(500)

    gateway.answer = answer
    yield gateway
    release.set()


def test_ctrl_c_ends_at_once(stuck: FakeGateway, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt does not wait for answers that are still to come."""
    command = [sys.executable, "-m", "pecia_client", "ocr", str(pictures / "a.png")]
    monkeypatch.setenv("PECIA_API_BASE", stuck.url)
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while not stuck.asked:
            assert process.poll() is None
            sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
