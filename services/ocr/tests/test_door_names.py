"""Whose certificate may call, when keys were used, and what deletions leave in the audit log."""

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.keys import KeyWish, Scope
from pecia_identity.audit_log import AuditLog
from pecia_identity.keys_file import KeysFile
from pecia_ocr.authentication import Door
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import picture, scripted_settings

StartServer = Callable[..., Awaitable[OcrServer]]
PAGE = ocr_pb2.RecognizeRequest(
    picture=ocr_pb2.Picture(encoded=picture()), options=ocr_pb2.RecognizeOptions(model="scripted")
)
SPIFFE = "spiffe://cluster.local/ns/pecia/sa/worker"


@pytest.fixture
def authority() -> trustme.CA:
    """Of all certificates here."""
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    """Mutual TLS of the service."""
    own = authority.issue_cert("localhost")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    own.private_key_pem.write_to_path(tmp_path / "key")
    authority.cert_pem.write_to_path(tmp_path / "ca")
    return {"cert_file": tmp_path / "cert", "key_file": tmp_path / "key", "client_ca_file": tmp_path / "ca"}


def issued(authority: trustme.CA, *names: str, common_name: str | None = None) -> tuple[bytes, bytes]:
    """A key and a certificate."""
    leaf = authority.issue_cert(*names, common_name=common_name)
    return leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes()


def issued_to_workload(authority: trustme.CA, uri: str) -> tuple[bytes, bytes]:
    """As meshes issue them: the name is a URI."""
    signing = load_pem_private_key(authority.private_key_pem.bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True)
        .sign(signing, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)


def channel_of(server: OcrServer, authority: trustme.CA, papers: tuple[bytes, bytes]) -> grpc.aio.Channel:
    """With a certificate."""
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes(), *papers)
    return grpc.aio.secure_channel(f"localhost:{server.port}", credentials)


def acts(log: Path) -> list[dict[str, Any]]:
    """What the audit log says."""
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_only_named_certificates_may_call(
    start_server: StartServer, authority: trustme.CA, tls: dict[str, Any], tmp_path: Path
) -> None:
    """Of all that the authority has signed; the refusal says whom the certificate names, and what to do."""
    settings = scripted_settings(
        tls={**tls, "client_names": f"gateway.pecia, {SPIFFE}"},
        audit={"file": str(tmp_path / "audit.jsonl")},
    )
    server = await start_server(settings)
    allowed = (
        issued(authority, "gateway.pecia", "other.pecia"),
        issued_to_workload(authority, SPIFFE),
    )
    for shown in allowed:
        async with channel_of(server, authority, shown) as channel:
            assert (await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(PAGE)).recognition.text
    refused = {
        "ui.pecia": issued(authority, "ui.pecia"),
        "not.gateway.pecia": issued(authority, "not.gateway.pecia"),
        # Where there are alternative names, the common one is for people.
        "ui.pecia, spare.pecia": issued(authority, "ui.pecia", "spare.pecia", common_name="gateway.pecia"),
    }
    for named, shown in refused.items():
        async with channel_of(server, authority, shown) as channel:
            stub = ocr_pb2_grpc.OcrServiceStub(channel)
            for call in (stub.Recognize(PAGE), stub.Describe(ocr_pb2.DescribeRequest())):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
                assert f"names {named}, and PECIA_TLS__CLIENT_NAMES" in str(caught.value.details())
            health = health_pb2_grpc.HealthStub(channel)
            assert (await health.Check(health_pb2.HealthCheckRequest())).status == 1
    server.audit.settled(10)
    assert {act["what"] for act in acts(tmp_path / "audit.jsonl")} == {"certificate.refused"}


async def test_without_names_whoever_was_signed_may_call(
    start_server: StartServer, authority: trustme.CA, tls: dict[str, Any]
) -> None:
    """As before there was the setting."""
    server = await start_server(scripted_settings(tls=tls))
    async with channel_of(server, authority, issued(authority, "anybody")) as channel:
        assert (await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(PAGE)).recognition.text


@pytest.mark.parametrize("without", ["client_ca_file", "all"])
def test_names_without_an_authority_are_refused_at_the_start(tls: dict[str, Any], without: str) -> None:
    """Nobody would show a certificate: it would be open, or closed, to everybody."""
    files = {} if without == "all" else {name: path for name, path in tls.items() if name != without}
    settings = scripted_settings(tls={**files, "client_names": ("gateway.pecia",)})
    with pytest.raises(ValueError, match="PECIA_TLS__CLIENT_NAMES needs PECIA_TLS__CLIENT_CA_FILE"):
        Door(settings, AuditLog(settings.audit, "ocr"))


async def test_it_is_known_when_keys_were_used(start_server: StartServer, tmp_path: Path) -> None:
    """Of those that were let in; by their ids, told to operators alone."""
    file = KeysFile(tmp_path / "keys.toml")
    key, record = file.create(KeyWish("acme"))
    idle, _ = file.create(KeyWish("beta"))
    wrong, wrong_record = file.create(KeyWish("gamma", scopes=(Scope.JOBS,)))
    admin, admin_record = file.create(KeyWish("operator", scopes=(Scope.ADMIN,)))
    server = await start_server(scripted_settings(auth={"keys_file": tmp_path / "keys.toml"}))
    began = time.time()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)

        def shown(presented: str) -> tuple[tuple[str, str], ...]:
            return (("authorization", f"Bearer {presented}"),)

        await stub.Recognize(PAGE, metadata=shown(key))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Recognize(PAGE, metadata=shown(wrong))
        with pytest.raises(grpc.aio.AioRpcError, match="PERMISSION_DENIED"):
            await stub.KeyUses(ocr_pb2.KeyUsesRequest(), metadata=shown(idle))
        told = await stub.KeyUses(ocr_pb2.KeyUsesRequest(), metadata=shown(admin))
    assert set(told.used) == {record.id, admin_record.id}
    assert wrong_record.id not in told.used
    assert began <= told.used[record.id] <= told.used[admin_record.id] <= time.time()
    assert not any(one in str(told) for one in (key, admin))


async def test_what_was_forgotten_is_in_the_audit_log(start_server: StartServer, tmp_path: Path) -> None:
    """Whose results, how many, and by whose key; refused ones too."""
    file = KeysFile(tmp_path / "keys.toml")
    key, record = file.create(KeyWish("acme"))
    admin, admin_record = file.create(KeyWish("operator", scopes=(Scope.ADMIN,)))
    settings = scripted_settings(
        auth={"keys_file": tmp_path / "keys.toml"},
        audit={"file": str(tmp_path / "audit.jsonl")},
        cache={"enabled": True},
    )
    server = await start_server(settings)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        forget = ocr_pb2.ForgetRequest(tenant="acme")
        await stub.Recognize(PAGE, metadata=(("authorization", f"Bearer {key}"),))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Forget(forget, metadata=(("authorization", f"Bearer {key}"),))
        headers = (("authorization", f"Bearer {admin}"), ("x-request-id", "the-request"))
        assert (await stub.Forget(forget, metadata=headers)).results == 1
    server.audit.settled(10)
    refused, forgotten = acts(tmp_path / "audit.jsonl")
    assert (refused["what"], refused["key"]) == ("key.refused", record.id)
    assert (forgotten["what"], forgotten["outcome"]) == ("results.forgotten", "done")
    assert (forgotten["tenant"], forgotten["key"]) == ("operator", admin_record.id)
    assert (forgotten["target"], forgotten["detail"]) == ("acme", {"results": 1})
    assert (forgotten["request"], forgotten["service"]) == ("the-request", "ocr")
    assert not any(one in (tmp_path / "audit.jsonl").read_text() for one in (key, admin))
