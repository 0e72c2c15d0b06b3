"""A gRPC client in another's hands, in a container: round robin over a name, and retries as gRPC has them.

`foreign.py TARGET`: calls until it is killed; prints a line for every call that failed for good.
"""

import json
import sys
import time

import grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc

_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
_OPTIONS = [("grpc.service_config", json.dumps(_CONFIG)), ("grpc.dns_min_time_between_resolutions_ms", 1000)]
_FRESH = (("cache-control", "no-cache"),)
_RAW = ocr_pb2.RawPixels(width=64, height=64, channels=1, data=bytes(64 * 64))


def main(target: str) -> None:
    """Ask one page after the other."""
    with grpc.insecure_channel(f"dns:///{target}", options=_OPTIONS) as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        request = ocr_pb2.RecognizeRequest(
            picture=ocr_pb2.Picture(raw=_RAW), options=ocr_pb2.RecognizeOptions(model="scripted")
        )
        while True:
            try:
                stub.Recognize(request, timeout=60, wait_for_ready=True, metadata=_FRESH)
            except grpc.RpcError as error:
                sys.stdout.write(f"FAILED {error.code().name} {error.details()}\n")
                sys.stdout.flush()
            time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1])
