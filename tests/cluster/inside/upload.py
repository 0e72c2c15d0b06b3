"""Puts files into a bucket of the tests' own S3: JSON on standard input, names and base64."""

import base64
import json
import sys
import urllib.request

_STORE = "http://127.0.0.1:9000"
_PATIENCE_S = 60


def put(path: str, content: bytes) -> None:
    """One object, or a bucket."""
    plain = {"Content-Type": "application/octet-stream"}  # a form would be taken apart
    request = urllib.request.Request(f"{_STORE}/{path}", content, plain, method="PUT")  # noqa: S310 - this pod's
    urllib.request.urlopen(request, timeout=_PATIENCE_S).close()  # noqa: S310 - this pod's


if __name__ == "__main__":
    bucket = sys.argv[1]
    put(bucket, b"")
    for name, content in json.load(sys.stdin).items():
        put(f"{bucket}/{name}", base64.b64decode(content))
