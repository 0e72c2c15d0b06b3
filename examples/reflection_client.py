"""Any gRPC service that offers reflection, without stubs: the service itself says what it takes.

PECIA_GRPC_TARGET is name:port of the service. Needs only grpcio and grpcio-reflection, and a
service with PECIA_GRPC__REFLECTION=true.
"""

import base64
import os
import sys
from pathlib import Path

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

picture = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sample-receipt.png")
target = os.environ.get("PECIA_GRPC_TARGET", "127.0.0.1:50051")


def call(channel: grpc.Channel, pool: DescriptorPool, service: str, method: str, request: dict) -> dict:
    """Call a unary method with JSON, get JSON."""
    description = pool.FindServiceByName(service).FindMethodByName(method)
    takes = message_factory.GetMessageClass(description.input_type)
    gives = message_factory.GetMessageClass(description.output_type)
    stub = channel.unary_unary(
        f"/{service}/{method}",
        request_serializer=takes.SerializeToString,
        response_deserializer=gives.FromString,
    )
    reply = stub(json_format.ParseDict(request, takes()), timeout=300)
    return json_format.MessageToDict(reply, preserving_proto_field_name=True)


def main() -> None:
    """List what the service offers, then read a picture with it."""
    with grpc.insecure_channel(target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        for service in database.get_services():
            methods = [method.name for method in pool.FindServiceByName(service).methods]
            print(f"{service}: {', '.join(methods)}")

        # In protobuf's JSON bytes are base64.
        encoded = base64.b64encode(picture.read_bytes()).decode()
        request = {"picture": {"encoded": encoded}, "options": {"task_type": "TASK_TYPE_FREE_OCR"}}
        reply = call(channel, pool, "pecia.ocr.v1.OcrService", "Recognize", request)
        print()
        print(reply["recognition"]["text"])


if __name__ == "__main__":
    main()
