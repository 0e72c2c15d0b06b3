"""`python probe.py ADDRESS`: exit 0 when what listens there is well. The HEALTHCHECK of every image.

`http://HOST:PORT/PATH` is well when it answers 200, with https whatever its certificate says: it asks
itself. `grpc://HOST:PORT/SERVICE` is well when its health service says SERVING of that name, and without a
name when the process is alive. It needs no curl, and in an image without gRPC no gRPC.
"""

import ssl
import sys
from urllib.parse import urlsplit
from urllib.request import urlopen  # noqa: TID251 - asks the container it stands in, and images have no other client

_PATIENCE_S = 8.0  # less than the ten seconds the images give it


def main(address: str) -> int:
    """0 = well, 1 = not; why not goes to stderr, where `docker inspect` finds it."""
    parts = urlsplit(address)
    try:
        well = _grpc(parts.netloc, parts.path.strip("/")) if parts.scheme == "grpc" else _http(address)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not well
        sys.stderr.write(f"{address}: {type(error).__name__}: {error}\n")
        return 1
    return 0 if well else 1


def _http(address: str) -> bool:
    anybody = ssl.create_default_context()
    anybody.check_hostname = False  # the certificate names the service, not this machine's own address
    anybody.verify_mode = ssl.CERT_NONE
    with urlopen(address, timeout=_PATIENCE_S, context=anybody) as answer:  # noqa: S310 - the address stands in the image
        return bool(answer.status == 200)  # noqa: PLR2004 - OK


def _grpc(target: str, service: str) -> bool:
    import grpc  # noqa: PLC0415 - most images have none
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415 - same

    with grpc.insecure_channel(target) as channel:
        asked = health_pb2.HealthCheckRequest(service=service)
        answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=_PATIENCE_S)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
