"""Logs: bounded files, last lines at hand."""

from pathlib import Path

from pecia_standalone.logs import LogFile


def test_a_log_is_turned_over_before_it_grows_too_large(tmp_path: Path) -> None:
    """Whatever a service writes, two files of the given size are the most there is; nothing is cut in two."""
    log = LogFile(tmp_path / "ocr.log", max_bytes=100)
    for number in range(50):
        log.write(f"line {number:03}\n".encode())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ocr.log", "ocr.log.1"]
    kept = (tmp_path / "ocr.log.1").read_text() + (tmp_path / "ocr.log").read_text()
    assert kept.splitlines()[-1] == "line 049"
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())


def test_the_log_of_the_last_run_is_kept(tmp_path: Path) -> None:
    """A new start does not wipe out what was said before a crash."""
    for text in (b"first run\n", b"second run\n"):
        log = LogFile(tmp_path / "ocr.log")
        log.write(text)
        log.close()
    assert (tmp_path / "ocr.log.1").read_text() == "first run\n"


def test_the_last_lines_are_at_hand_however_they_arrive(tmp_path: Path) -> None:
    """Chunks that cut lines and letters in two are put together; the unfinished line counts."""
    heard: list[str] = []
    log = LogFile(tmp_path / "ocr.log", echo=heard.append)
    text = "".join(f"Zeile {number} für Tests\n" for number in range(20)) + "und Schluß"
    data = text.encode()
    for start in range(0, len(data), 7):
        log.write(data[start : start + 7])
    log.close()
    assert log.tail == text.splitlines()[-16:]
    assert heard == text.splitlines()[:-1]
