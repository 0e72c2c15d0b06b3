"""What a pod does whose one model cannot be loaded: with the setting it ends, and its last line says why."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def _start(folder: Path, *, exit_when_broken: bool) -> "subprocess.Popen[bytes]":
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PECIA_GRPC__PORT": str(port),
        "PECIA_ENGINES__RAPID": "false",
        "PECIA_ENGINES__TESSERACT": "false",
        "PECIA_ENGINES__EXIT_WHEN_BROKEN": str(exit_when_broken),
        "MODEL_PATH": str(folder),
        "PECIA_DEEPSEEK__DEVICE": "cpu",
    }
    return subprocess.Popen([sys.executable, "-m", "pecia_ocr"], env=environment, stderr=subprocess.PIPE)


def test_it_ends_with_the_reason(tmp_path: Path) -> None:
    """Status 3, and a last line that whoever started it can show: here the folder holds no model."""
    process = _start(tmp_path, exit_when_broken=True)
    _, log = process.communicate(timeout=120)
    assert process.returncode == 3
    last = json.loads(log.decode().strip().splitlines()[-1])
    assert last["event"] == "No engine could be loaded"
    assert "config.json" in last["reason"]


def test_it_stays_where_nobody_watches(tmp_path: Path) -> None:
    """Without the setting it goes on, to answer with the reason, and ends well when told to."""
    process = _start(tmp_path, exit_when_broken=False)
    assert process.stderr
    for line in process.stderr:
        if b"Engine unavailable" in line:
            break
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
