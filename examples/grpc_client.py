"""The ocr service over gRPC, typed: events as the page is read, then the whole page.

PECIA_GRPC_TARGET is name:port of the service, PECIA_API_KEY a key where it asks for one.
"""

import os
import sys
from pathlib import Path

from pecia_client.grpc import GrpcClient
from pecia_core.errors import PeciaError
from pecia_core.recognition import Delta, Recognition, RecognizeOptions, Started

picture = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sample-receipt.png")
target = os.environ.get("PECIA_GRPC_TARGET", "127.0.0.1:50051")

with GrpcClient(target, api_key=os.environ.get("PECIA_API_KEY")) as client:
    for engine in client.describe().engines:
        print(f"{engine.name}: {', '.join(engine.models)}")

    for event in client.stream(picture.read_bytes(), RecognizeOptions(model="auto")):
        match event:
            case Started():
                print(f"\n{event.engine} has begun after {event.queue_ms:.0f} ms in the queue\n")
            case Delta():
                print(event.text, end="", flush=True)
            case Recognition():
                print(f"\n\ndone in {event.timings.total_ms:.0f} ms; where the lines stand:")
                for line in event.page.lines():
                    box = line.polygon.bbox
                    print(f"  {box.x0:4.0f},{box.y0:4.0f}  {line.confidence or 0:.0%}  {line.text}")

    try:
        client.recognize(b"this is no picture")
    except PeciaError as error:
        print(f"\n{error.code}: {error.message}")
