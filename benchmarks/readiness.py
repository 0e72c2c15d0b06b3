"""Whether the ocr service has loaded all it has."""

import grpc
from pecia_client.grpc import GrpcClient
from pecia_core.errors import PeciaError


def all_free(client: GrpcClient) -> bool:
    """Every place of every engine is there and free; False while nobody answers."""
    try:
        described = client.describe()
    except (PeciaError, grpc.RpcError):
        return False
    slots = sum(engine.slots for engine in described.engines)
    return bool(0 < slots == described.load.free_slots)
