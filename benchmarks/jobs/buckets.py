"""An S3 server on this machine (moto's), which is the one thing here that nobody kills."""

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer
from pecia_jobs.settings import BlobSettings
from pydantic import SecretStr

_NAME = "jobs"


@contextmanager
def bucket() -> Iterator[BlobSettings]:
    """A server with one empty bucket; how to reach it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        made = urllib.request.Request(f"{endpoint}/{_NAME}", method="PUT")  # noqa: S310 - our own server's
        urllib.request.urlopen(made, timeout=30).close()  # noqa: S310 - same
        yield BlobSettings(
            url=f"s3://{_NAME}/tests",
            endpoint=endpoint,
            region="us-east-1",
            access_key_id="testing",
            secret_access_key=SecretStr("testing"),
        )
    finally:
        server.stop()
