"""The gRPC contract: seen from outside by reflection, guarded against breaking changes, stubs up to date."""

import asyncio
import filecmp
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from pecia_ocr.testing import picture, running, scripted_settings

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SERVICE = "pecia.ocr.v1.OcrService"


def call_by_reflection(target: str, method: str, request: dict[str, Any]) -> Any:
    """Call a method knowing nothing but the address: the server itself tells the types."""
    with grpc.insecure_channel(target) as channel:
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        found = pool.FindServiceByName(SERVICE).methods_by_name[method]
        request_class = message_factory.GetMessageClass(found.input_type)
        response_class = message_factory.GetMessageClass(found.output_type)
        call = channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=response_class.FromString,
        )
        return call(request_class(**request), timeout=30)


async def test_reflection_lists_the_services() -> None:
    """A client without stubs learns the contract, health and reflection from the server."""
    async with running(scripted_settings(grpc={"reflection": True})) as server:

        def services() -> set[str]:
            with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                return set(ProtoReflectionDescriptorDatabase(channel).get_services())

        listed = await asyncio.to_thread(services)
    assert listed >= {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


async def test_reflection_client_reads_a_picture() -> None:
    """Such a client can ask what the service does, and have a picture read."""
    async with running(scripted_settings(grpc={"reflection": True})) as server:
        target = f"127.0.0.1:{server.port}"
        description = await asyncio.to_thread(call_by_reflection, target, "Describe", {})
        request = {"picture": {"encoded": picture()}, "options": {"model": "scripted"}}
        reply = await asyncio.to_thread(call_by_reflection, target, "Recognize", request)
    assert [engine.name for engine in description.engines] == ["scripted"]
    assert description.limits.max_picture_bytes > 0
    assert reply.recognition.engine == "scripted"
    assert reply.recognition.text


def buf_breaking(protos: Path) -> subprocess.CompletedProcess[str]:
    """Compare a contract with the committed baseline."""
    command = [str(BIN / "buf"), "breaking", str(protos), "--against", str(ROOT / "protos/baseline.binpb")]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """A copy of the contract that a test may spoil."""
    shutil.copytree(ROOT / "protos/pecia", tmp_path / "pecia")
    shutil.copy(ROOT / "protos/buf.yaml", tmp_path)
    return tmp_path


def test_contract_breaks_nobody(contract: Path) -> None:
    """The contract as it stands serves every client of the baseline."""
    result = buf_breaking(contract)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("  int32 attempts = 7;\n", "", '"7" with name "attempts"'),
        ("int32 attempts = 7;", "string attempts = 7;", '"7"'),
        ("rpc Describe(DescribeRequest) returns (DescribeResponse);", "", "Describe"),
    ],
)
def test_buf_notices_a_broken_contract(contract: Path, old: str, new: str, complaint: str) -> None:
    """A field removed or of another type, or a method removed, is refused."""
    proto = contract / "pecia/ocr/v1/ocr.proto"
    assert old in proto.read_text()
    proto.write_text(proto.read_text().replace(old, new))
    result = buf_breaking(contract)
    assert result.returncode != 0
    assert complaint in result.stdout


def test_new_fields_break_nobody(contract: Path) -> None:
    """The contract may grow."""
    proto = contract / "pecia/ocr/v1/ocr.proto"
    proto.write_text(
        proto.read_text().replace("int32 attempts = 7;", "int32 attempts = 7; string host = 99;")
    )
    assert buf_breaking(contract).returncode == 0


def test_stubs_are_as_generated(tmp_path: Path) -> None:
    """protos/gen is exactly what the generators make of the .proto files."""
    subprocess.run([str(ROOT / "scripts/protos"), str(tmp_path)], check=True, timeout=120)
    generated = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.py*"))
    committed = sorted(
        path.relative_to(ROOT / "protos/gen")
        for path in (ROOT / "protos/gen").rglob("*_pb2*.py*")
        if "__pycache__" not in path.parts
    )
    assert generated == committed
    assert len(generated) == 8
    stale = [
        name
        for name in generated
        if not filecmp.cmp(tmp_path / name, ROOT / "protos/gen" / name, shallow=False)
    ]
    assert stale == []
