"""`helm test`: has the receipt beside this file read through the gateway, and looks for its words."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

_BASE = os.environ["API_BASE"]
_TIMEOUT_S = float(os.environ["TIMEOUT_S"])
_WORDS = ("TOTAL", "TUNAI", "KEMBALI")
_HEADERS = {"Authorization": f"Bearer {os.environ['API_KEY']}"} if os.environ.get("API_KEY") else {}


def form(picture: bytes) -> tuple[bytes, str]:
    """A multipart body with one file, and its content type."""
    edge = uuid.uuid4().hex
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="receipt.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return head.encode() + picture + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


def read(picture: bytes) -> str:
    """All lines the gateway reads."""
    body, kind = form(picture)
    ask = urllib.request.Request(f"{_BASE}/v1/ocr", body, _HEADERS | {"Content-Type": kind})  # noqa: S310 - the gateway's address
    with urllib.request.urlopen(ask, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - same
        return "\n".join(line["text"] for line in json.load(answer)["lines"])


def patiently(picture: bytes) -> str:
    """The same, while the gateway says that engines are loading or full."""
    give_up = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            return read(picture)
        except urllib.error.HTTPError as refusal:
            said = refusal.read(2000).decode(errors="replace")
            if refusal.code not in {429, 502, 503} or time.monotonic() > give_up:
                sys.exit(f"The gateway refused the picture with {refusal.code}: {said}")
        except urllib.error.URLError as failure:
            if time.monotonic() > give_up:
                sys.exit(f"The gateway at {_BASE} does not answer: {failure.reason}")
        time.sleep(2)


def main() -> None:
    """Exit code 0 where the words came back."""
    text = patiently(Path(__file__).with_name("receipt.png").read_bytes())
    missing = [word for word in _WORDS if word not in text.upper()]
    if missing:
        sys.exit(f"The picture was read, but {', '.join(missing)} did not come back. What did: {text!r}")
    sys.stdout.write(f"The receipt was read: {len(text.splitlines())} lines.\n")


if __name__ == "__main__":
    main()
