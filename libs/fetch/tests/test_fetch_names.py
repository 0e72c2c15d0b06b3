"""Names that change their mind, asked of a real name server by the system's own resolver."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("own_network.py")
OWN_NETWORK = ["unshare", "--map-root-user", "--mount", "--net"]


def can_have_its_own() -> bool:
    """Whether this machine lets a process have a network of its own."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run([*OWN_NETWORK, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_have_its_own(), reason="no network namespaces here (unshare, ip)")
def test_a_name_is_asked_once_and_its_answer_is_where_the_connection_goes(tmp_path: Path) -> None:
    """Rebinding, private names, mixed answers and redirects to them: only the public address was reached."""
    done = subprocess.run(
        [*OWN_NETWORK, sys.executable, str(PROGRAM), str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    refused = "invalid_image_url"
    assert json.loads(done.stdout) == {
        "rebinding, first": "93.184.216.34",
        "questions": 1,
        "rebinding, then": refused,
        "redirect": refused,
        "redirects": refused,
        "fine redirect": "93.184.216.34",
        "private.test": refused,
        "both.test": refused,
        "loopback.test": refused,
        "metadata.test": refused,
    }
