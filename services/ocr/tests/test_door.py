"""Who is let in to the ocr service, and for whom: keys, scopes, and assertions of the platform's services."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.keys import KeyWish, Scope
from pecia_core.tenants import tenant_slug
from pecia_identity.assertions import Signer, Statement, digest_of
from pecia_identity.keys_file import KeysFile
from pecia_identity.settings import SigningSettings
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import picture, scripted_settings

StartServer = Callable[..., Awaitable[OcrServer]]
PAGE = picture()


def request(data: bytes = PAGE) -> ocr_pb2.RecognizeRequest:
    """A page for the scripted engine."""
    options = ocr_pb2.RecognizeOptions(model="scripted")
    return ocr_pb2.RecognizeRequest(picture=ocr_pb2.Picture(encoded=data), options=options)


@pytest.fixture
def file(tmp_path: Path) -> KeysFile:
    """A keys file."""
    return KeysFile(tmp_path / "keys.toml")


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """Of a service whose word counts; its public key is in verifying.pem."""
    key = Ed25519PrivateKey.generate()
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "verifying.pem").write_bytes(key.public_key().public_bytes(*form))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "signing.pem").write_bytes(private)
    return Signer(SigningSettings(key_file=tmp_path / "signing.pem"))


class Caller:
    """Calls a service with what it is given to show."""

    def __init__(self, server: OcrServer) -> None:
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        self.stub = ocr_pb2_grpc.OcrServiceStub(self.channel)

    async def outcome(self, method: str, message: object, **shown: str) -> str:
        """`ok`, or the status and its message."""
        metadata = [(name.replace("_", "-"), value) for name, value in shown.items()]
        try:
            await getattr(self.stub, method)(message, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return "ok"

    async def read(self, **shown: str) -> str:
        """Have the page read."""
        return await self.outcome("Recognize", request(), **shown)


async def test_each_rpc_has_its_scope(start_server: StartServer, file: KeysFile, tmp_path: Path) -> None:
    """Pages for `ocr`, forgetting for `admin`; a new key and a revoked one count without a restart."""
    keys = {scope: file.create(KeyWish(scope.value, scopes=(scope,))) for scope in Scope}
    auth = {"keys_file": tmp_path / "keys.toml", "reload_s": 0}
    caller = Caller(await start_server(scripted_settings(auth=auth)))
    allowed = {"Recognize": Scope.OCR, "Describe": Scope.OCR, "Forget": Scope.ADMIN, "KeyUses": Scope.ADMIN}
    messages = {
        "Recognize": request(),
        "Describe": ocr_pb2.DescribeRequest(),
        "Forget": ocr_pb2.ForgetRequest(),
        "KeyUses": ocr_pb2.KeyUsesRequest(),
    }
    assert set(allowed) | {"RecognizeStream", "RecognizePages"} == {
        method.name for method in ocr_pb2.DESCRIPTOR.services_by_name["OcrService"].methods
    }
    for method, message in messages.items():
        for scope, (key, _) in keys.items():
            outcome = await caller.outcome(method, message, authorization=f"Bearer {key}")
            assert (outcome == "ok") == (allowed[method] is scope), (method, scope, outcome)
            assert outcome == "ok" or outcome.startswith("PERMISSION_DENIED: This key is not for that")
    key, record = keys[Scope.OCR]
    later, _ = file.create(KeyWish("later"))
    assert await caller.read(authorization=f"Bearer {later}") == "ok"
    file.revoke(record.id)
    outcome = await caller.read(authorization=f"Bearer {key}")
    assert outcome.startswith("UNAUTHENTICATED: This API key was revoked")
    assert key not in outcome
    await caller.channel.close()


async def test_only_what_was_signed_counts(start_server: StartServer, signer: Signer, tmp_path: Path) -> None:
    """Not the plain header; and each assertion for its page, its request and its method alone."""
    settings = scripted_settings(assertion={"keys_file": tmp_path / "verifying.pem"})
    caller = Caller(await start_server(settings))
    said = Statement("acme", "Recognize", "req-1", digest_of(PAGE))
    good = {"x_request_id": "req-1", "x_pecia_assertion": signer.sign(said)}
    assert await caller.read(**good) == "ok"
    assert "needs the assertion" in await caller.read(x_pecia_tenant="acme")
    assert "needs the assertion" in await caller.read(authorization="Bearer pk_0_0")
    assert "another request" in await caller.read(**(good | {"x_request_id": "req-2"}))
    other = request(picture((1, 2, 3)))
    assert "another picture" in await caller.outcome("Recognize", other, **good)
    assert "another method" in await caller.outcome("Forget", ocr_pb2.ForgetRequest(tenant="beta"), **good)
    assert "not believed" in await caller.read(**(good | {"x_pecia_assertion": "a.b.c"}))
    await caller.channel.close()


async def test_pages_are_signed_for_together(
    start_server: StartServer, signer: Signer, tmp_path: Path
) -> None:
    """All of them and in their order."""
    settings = scripted_settings(assertion={"keys_file": tmp_path / "verifying.pem"})
    server = await start_server(settings)
    pages = [picture((1, 2, 3)), picture((4, 5, 6))]
    said = Statement("acme", "RecognizePages", "req-1", digest_of(*pages))
    shown = [("x-request-id", "req-1"), ("x-pecia-assertion", signer.sign(said))]

    async def told(sent: list[bytes]) -> int:
        message = ocr_pb2.RecognizePagesRequest(
            pictures=[ocr_pb2.Picture(encoded=page) for page in sent],
            options=ocr_pb2.RecognizeOptions(model="scripted"),
        )
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            calls = ocr_pb2_grpc.OcrServiceStub(channel).RecognizePages(message, metadata=shown)
            return len([read async for read in calls])

    assert await told(pages) == 2
    for others in (pages[:1], pages[::-1], [*pages, pages[0]], []):
        with pytest.raises(grpc.aio.AioRpcError, match="another picture"):
            await told(others)


async def test_a_callers_own_key_works_beside_assertions(
    start_server: StartServer, signer: Signer, file: KeysFile, tmp_path: Path
) -> None:
    """For himself: where services sign, no key speaks for others, and a trusted one is refused without."""
    key, _ = file.create(KeyWish("acme"))
    trusted, _ = file.create(KeyWish("gateway", trusted=True))
    groups = {
        "auth": {"keys_file": tmp_path / "keys.toml"},
        "assertion": {"keys_file": tmp_path / "verifying.pem"},
    }
    server = await start_server(scripted_settings(**groups, cache={"enabled": True}))
    caller = Caller(server)
    said = Statement("beta", "Recognize", "req-1", digest_of(PAGE))
    signed = {"x_request_id": "req-1", "x_pecia_assertion": signer.sign(said)}
    for shown in (
        {"authorization": f"Bearer {key}", "x_pecia_tenant": "beta"},
        signed,
    ):
        assert await caller.read(**shown) == "ok"
    outcome = await caller.read(authorization=f"Bearer {trusted}", x_pecia_tenant="beta")
    assert "needs the assertion" in outcome
    # Each was read for another tenant, and none for whom the plain header names.
    assert [await server.pipeline.forget(name) for name in ("acme", "gateway", "beta")] == [1, 0, 1]
    await caller.channel.close()


async def test_a_tenant_is_forgotten_and_no_other(start_server: StartServer) -> None:
    """What was kept is read again; the count says how much there was."""
    server = await start_server(scripted_settings(cache={"enabled": True}))
    caller = Caller(server)
    for name in ("acme", "acme", "beta"):
        await caller.read(x_pecia_tenant=name)
    forgotten = await caller.stub.Forget(ocr_pb2.ForgetRequest(tenant="acme"))
    again = await caller.stub.Forget(ocr_pb2.ForgetRequest(tenant="acme"))
    other = await caller.stub.Forget(ocr_pb2.ForgetRequest(tenant="beta"))
    assert [forgotten.results, again.results, other.results] == [1, 0, 1]
    await caller.channel.close()


async def test_another_tenants_blob_is_not_found(
    start_server: StartServer, file: KeysFile, tmp_path: Path
) -> None:
    """In the very words of one that is not there; nor by a way around over its own folder."""
    key, _ = file.create(KeyWish("acme"))
    for name in ("acme", "beta"):
        folder = tmp_path / "blobs" / tenant_slug(name)
        folder.mkdir(parents=True)
        (folder / "page").write_bytes(PAGE)
    groups = {"auth": {"keys_file": tmp_path / "keys.toml"}, "blobs": {"root": tmp_path / "blobs"}}
    caller = Caller(await start_server(scripted_settings(**groups)))

    async def read(blob: str) -> str:
        message = request()
        message.picture.blob.key = blob
        return await caller.outcome("Recognize", message, authorization=f"Bearer {key}")

    own, other = tenant_slug("acme"), tenant_slug("beta")
    assert await read(f"{own}/page") == "ok"
    missing = await read(f"{own}/absent")
    assert missing.startswith("NOT_FOUND")
    for blob in (f"{other}/page", f"{own}/../{other}/page", f"{other}/absent", "keys.toml"):
        assert await read(blob) == missing
    await caller.channel.close()


async def test_reflection_is_off_unless_asked_for(start_server: StartServer) -> None:
    """Nobody looks around in production by default."""
    for asked in (False, True):
        settings = scripted_settings(grpc={"reflection": True}) if asked else scripted_settings()
        server = await start_server(settings)
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            try:
                listed = await asyncio.to_thread(database.get_services)
            except grpc.RpcError:
                listed = []
        assert bool(listed) is asked


async def test_refusals_are_in_the_audit_log(
    start_server: StartServer, file: KeysFile, tmp_path: Path
) -> None:
    """With the key's id where it is known, and never the key."""
    key, record = file.create(KeyWish("acme", scopes=(Scope.JOBS,)))
    settings = scripted_settings(
        auth={"keys_file": tmp_path / "keys.toml"}, audit={"file": str(tmp_path / "audit.jsonl")}
    )
    server = await start_server(settings)
    caller = Caller(server)
    await caller.read(authorization=f"Bearer {key}")
    await caller.read(authorization="Bearer pk_00000000_wrong")
    server.audit.settled(10)
    text = (tmp_path / "audit.jsonl").read_text()
    assert text.count('"what":"key.refused"') == 2
    assert f'"key":"{record.id}"' in text
    assert '"code":"missing_scope_ocr"' in text
    assert '"source":"127.0.0.1"' in text
    assert key not in text
    assert "wrong" not in text
    await caller.channel.close()
