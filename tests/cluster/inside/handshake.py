"""What the ocr service says to whoever shows a folder's certificate, or none: `address server_name [folder]`.

A line of JSON: whether it went on to speak HTTP/2, and the number of its own certificate.
"""

import json
import socket
import ssl
import sys
from pathlib import Path

_AUTHORITIES = Path("/etc/pecia/client-tls/ca.crt")
_PORT = 50051
_PATIENCE_S = 10
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


def main(address: str, server_name: str, *folders: str) -> None:
    """Greet as a gRPC client does, and wait for the answer."""
    context = ssl.create_default_context(cafile=str(_AUTHORITIES))
    context.set_alpn_protocols(["h2"])
    for folder in map(Path, folders):
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    with (
        socket.create_connection((address, _PORT), _PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=server_name) as spoken,
    ):
        number = (spoken.getpeercert() or {}).get("serialNumber")
        try:
            spoken.sendall(_PREFACE)
            heard = bool(spoken.recv(9))
        except OSError:  # in TLS 1.3 a client hears only now that it is not wanted
            heard = False
    sys.stdout.write(json.dumps({"heard": heard, "serial": number}))


if __name__ == "__main__":
    main(*sys.argv[1:])
