"""docs/webhooks.md tells the truth: its programs accept what is signed, and nothing else."""

import hashlib
import hmac
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pecia_jobs.webhooks import Signer

_ROOT = Path(__file__).parent.parent
_PAGE = (_ROOT / "docs/webhooks.md").read_text()
_BODY = '{"type":"job.completed","data":{"filename":"r\u00e4ksm\u00f6rg\u00e5s.pdf"}}'
_KEYS = ("n" * 32, "o" * 32)


def _block(language: str, holding: str) -> str:
    """The one block of this language that holds these words."""
    (found,) = [text for text in re.findall(rf"(?ms)^```{language}\n(.*?)^```$", _PAGE) if holding in text]
    return str(found)


def _python(body: str, headers: dict[str, str], secret: str) -> str:
    script = _block("python", "verify_signature")
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    done = subprocess.run(
        [sys.executable, "-c", script, *(headers[name] for name in names)],
        input=body.encode(),
        capture_output=True,
        check=True,
        timeout=60,
        env=os.environ | {"WEBHOOK_SECRET": secret},
    )
    return done.stdout.decode().strip()


def _shell(body: str, headers: dict[str, str], secret: str) -> str:
    known = {
        "WEBHOOK_SECRET": secret,
        "body": body,
        "id": headers["webhook-id"],
        "timestamp": headers["webhook-timestamp"],
        "signature": headers["webhook-signature"],
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _block("bash", "hexkey")],
        capture_output=True,
        check=True,
        timeout=60,
        env=os.environ | known,
    )
    return done.stdout.decode().strip()


@pytest.mark.parametrize("check", [_python, _shell])
def test_the_programs_check_signatures(check: object) -> None:
    """With either secret while a key is replaced; not with another tenant's, and not another body."""
    assert callable(check)
    signer = Signer(_KEYS)
    headers = signer.headers("acme", "evt_1_webhook", _BODY.encode(), time.time())
    for secret in signer.secrets("acme"):
        assert check(_BODY, headers, secret) == "accepted"
    assert check(_BODY, headers, signer.secrets("umbrella")[0]) == "refused"
    assert check(_BODY + " ", headers, signer.secrets("acme")[0]) == "refused"


def test_reviewers_can_sign_as_it_says() -> None:
    """The line that makes a signature makes the one the gateway wants."""
    lines = _block("bash", "BULI2_SIGNATURE_SECRET").splitlines()[:2]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join([*lines, 'printf "%s" "$signature"'])],
        capture_output=True,
        check=True,
        timeout=60,
        env=os.environ | {"BULI2_SIGNATURE_SECRET": "shared"},
    )
    assert re.fullmatch(rb"[0-9a-f]{64}", done.stdout)
    body = b'{"decision":"approved","notes":"readable"}'
    assert done.stdout.decode() == hmac.new(b"shared", body, hashlib.sha256).hexdigest()
