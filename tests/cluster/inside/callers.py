"""Callers inside the cluster: they have pictures or jobs read through the gateway's Service.

A line of JSON an answer. They end when the file `/tmp/stop` is there, each with its last answer. A refusal
with `Retry-After` is tried again as it asks for, as docs/API.md tells every client to; whatever else is no
answer has failed.
"""

import http.client
import json
import os
import sys
import threading
import time
import uuid
from pathlib import Path

_HERE = Path(__file__).parent
_HOST = os.environ["GATEWAY_HOST"]
_PORT = 8000
_KEY = os.environ.get("API_KEY", "")
_MODEL = os.environ.get("MODEL", "auto")
_LATER_S = int(os.environ.get("LATER_S", "0"))
_REST_S = int(os.environ.get("REST_S", "0"))
_TIMEOUT_S = 120.0
_TRIES = 30
_JOB_S = 900.0
_STOP = Path("/tmp/stop")  # noqa: S108 - a volume of the pod's own
_AGAIN = {429, 503}
_DONE = {"completed", "failed", "cancelled"}
_LOCK = threading.Lock()


def say(**what: object) -> None:
    """A line of the log."""
    with _LOCK:
        sys.stdout.write(json.dumps({"at": round(time.time(), 2), **what}) + "\n")
        sys.stdout.flush()


def form(name: str, content: bytes, **fields: str) -> tuple[bytes, str]:
    """A multipart body with the model, further fields and one file, and its content type."""
    edge = uuid.uuid4().hex
    said = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in {"model": _MODEL, **fields}.items()
    )
    head = f'{said}--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


def ask(method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own; gives status, headers and body.

    Raises:
        OSError, http.client.HTTPException: the connection ended before an answer.
    """
    headers = {"Cache-Control": "no-cache", "Connection": "close"}
    if _KEY:
        headers["Authorization"] = f"Bearer {_KEY}"
    if kind:
        headers["Content-Type"] = kind
    connection = http.client.HTTPConnection(_HOST, _PORT, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def patiently(method: str, path: str, body: bytes = b"", kind: str = "") -> bytes | None:
    """The body of a 2xx; None where there was none in the end, which has been said."""
    for _ in range(_TRIES):
        try:
            status, headers, content = ask(method, path, body, kind)
        except (OSError, http.client.HTTPException) as error:
            say(broken=repr(error), path=path)
            return None
        if status < 300:
            return content
        if status not in _AGAIN or "retry-after" not in headers:
            say(failed=status, path=path, words=content[:300].decode(errors="replace"))
            return None
        say(again=status, words=content[:200].decode(errors="replace"))
        time.sleep(float(headers["retry-after"]))
    say(failed=0, path=path, words=f"no answer in {_TRIES} tries")
    return None


def read_picture() -> None:
    """One picture, whose words have to come back."""
    begun = time.monotonic()
    content = patiently("POST", "/v1/ocr", *form("receipt.png", (_HERE / "receipt.png").read_bytes()))
    if content is None:
        return
    text = " ".join(line["text"] for line in json.loads(content)["lines"])
    if "TOTAL" in text.upper():
        say(read=round(time.monotonic() - begun, 3))
    else:
        say(failed=200, path="/v1/ocr", words=text[:300])


def read_job() -> None:
    """One document, from handing it in to its last page."""
    begun = time.monotonic()
    later = {"not_before": str(time.time() + _LATER_S)} if _LATER_S else {}
    content = patiently("POST", "/v1/jobs", *form("scan.pdf", (_HERE / "scan.pdf").read_bytes(), **later))
    if content is None:
        return
    name = json.loads(content)["job_id"]
    while time.monotonic() - begun < _JOB_S:
        content = patiently("GET", f"/v1/jobs/{name}")
        if content is None:
            return
        job = json.loads(content)
        if job["status"] in _DONE:
            is_whole = job["status"] == "completed" and job["processed_pages"] == job["total_pages"] > 0
            took = round(time.monotonic() - begun, 3)
            say(read=took) if is_whole else say(failed=200, path="/v1/jobs", words=json.dumps(job)[:300])
            return
        time.sleep(1)
    say(failed=200, path="/v1/jobs", words=f"{name} did not end within {_JOB_S:.0f} s")


def call(read: str) -> None:
    """One caller's day."""
    while not _STOP.exists():
        {"pictures": read_picture, "jobs": read_job}[read]()
        time.sleep(_REST_S)


def main() -> None:
    """All of them, side by side."""
    callers = [
        threading.Thread(target=call, args=(os.environ["READ"],)) for _ in range(int(os.environ["CALLERS"]))
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    say(ended=True)


if __name__ == "__main__":
    main()
