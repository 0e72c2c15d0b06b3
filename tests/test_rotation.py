"""Certificates, authorities and keys change while pages are read: no call fails, nothing is restarted."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.errors import PeciaError
from pecia_core.recognition import RecognizeOptions
from pecia_dispatch import Call, OcrClient
from pecia_dispatch.settings import OcrSettings
from pecia_identity.authority import Authority
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import picture, running, scripted_settings

NAME = "pecia-ocr"
PAGE = picture()


def write(path: Path, *pems: bytes) -> None:
    """Another file in its place, as mounted secrets change."""
    beside = path.with_suffix(".new")
    beside.write_bytes(b"".join(pems))
    beside.replace(path)


@dataclass
class Side:
    """Where one side's certificate, key and authorities lie."""

    folder: Path

    @property
    def files(self) -> tuple[Path, Path, Path]:
        return self.folder / "tls.crt", self.folder / "tls.key", self.folder / "ca.crt"

    def show(self, authority: trustme.CA, name: str = NAME, **validity: Any) -> None:
        """A new certificate."""
        self.folder.mkdir(exist_ok=True)
        issued = authority.issue_cert(name, **validity)
        write(self.files[0], *(blob.bytes() for blob in issued.cert_chain_pems))
        write(self.files[1], issued.private_key_pem.bytes())

    def trust(self, *authorities: trustme.CA) -> None:
        """These and no others."""
        self.folder.mkdir(exist_ok=True)
        write(self.files[2], *(authority.cert_pem.bytes() for authority in authorities))


class SigningKeys:
    """What signs calls, and what is believed."""

    def __init__(self, folder: Path) -> None:
        self.private, self.public = folder / "signing.pem", folder / "verifying.pem"
        self.keys: list[Ed25519PrivateKey] = []

    def believe(self, *, only_last: bool = False) -> None:
        """A new key beside the others; or the last one alone."""
        if not only_last:
            self.keys.append(Ed25519PrivateKey.generate())
        form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        kept = self.keys[-1:] if only_last else self.keys
        write(self.public, *(key.public_key().public_bytes(*form) for key in kept))

    def sign(self) -> None:
        """With the newest."""
        write(self.private, self.keys[-1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@dataclass
class House:
    """An ocr service and its caller, who trust each other by the files of this folder."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.ocr, self.gateway = Side(self.folder / "ocr"), Side(self.folder / "gateway")
        self.signing = SigningKeys(self.folder)
        self.signing.believe()
        self.signing.sign()
        for side in (self.ocr, self.gateway):
            side.show(self.authority)
            side.trust(self.authority)

    def trust(self, *authorities: trustme.CA) -> None:
        """Both sides trust these and no others."""
        for side in (self.ocr, self.gateway):
            side.trust(*authorities)

    def service(self, **changes: Any) -> Any:
        certificate, key, authorities = self.ocr.files
        tls = {"cert_file": certificate, "key_file": key, "client_ca_file": authorities, "reload_s": 0}
        assertion = {"keys_file": self.signing.public, "reload_s": 0}
        return scripted_settings(tls=tls, assertion=assertion, **changes)

    def client(self, server: OcrServer, **changes: Any) -> OcrClient:
        certificate, key, authorities = self.gateway.files
        tls = {"ca_file": authorities, "cert_file": certificate, "key_file": key, "server_name": NAME}
        given = {"tls": tls, "assertion": {"key_file": self.signing.private}, "resolve_interval_s": 0.1}
        return OcrClient(
            OcrSettings.model_validate({"target": f"127.0.0.1:{server.port}", **given, **changes})
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[OcrServer, OcrClient]]:
        """Both, running."""
        async with running(self.service()) as server:
            client = self.client(server)
            try:
                yield server, client
            finally:
                await client.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Mutual TLS and signed calls."""
    return House(tmp_path)


def call(tenant: str = "acme") -> Call:
    """For a tenant."""
    return Call("req-1", tenant, 60.0)


@dataclass
class Load:
    """Pages read all the time, by several callers at once."""

    client: OcrClient
    done: int = 0
    failures: list[str] = field(default_factory=list)
    stopping: bool = False

    async def _caller(self, streams: bool) -> None:
        options = RecognizeOptions(model="scripted", ref_text="slow count=1" if streams else "")
        while not self.stopping:
            try:
                if streams:
                    async for _ in self.client.stream(PAGE, options, call()):
                        pass
                else:
                    await self.client.recognize(PAGE, options, call())
            except PeciaError as error:
                self.failures.append(f"{error.code}: {error.message}")
            else:
                self.done += 1

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """For as long as the block lasts."""
        callers = [asyncio.create_task(self._caller(number == 0)) for number in range(3)]
        try:
            yield
        finally:
            self.stopping = True
            await asyncio.gather(*callers)

    async def some(self, pages: int = 5) -> None:
        """Until so many more were read."""
        until = self.done + pages
        async with asyncio.timeout(60):
            while self.done < until and not self.failures:
                await asyncio.sleep(0.02)


async def test_everything_changes_under_load_and_no_call_fails(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """Certificates of both sides, the authority by way of trusting both, and the key that signs."""
    second = trustme.CA()
    steps: list[Callable[[], None]] = [
        lambda: house.ocr.show(house.authority),
        lambda: house.gateway.show(house.authority),
        lambda: house.trust(house.authority, second),
        lambda: house.ocr.show(second),
        lambda: house.gateway.show(second),
        lambda: house.trust(second),
        house.signing.believe,
        house.signing.sign,
    ]
    async with house.open() as (server, client):
        load = Load(client)
        async with load.flowing():
            for _ in range(2):
                for step in steps[:2]:
                    await load.some()
                    step()
            for step in steps[2:]:
                await load.some()
                step()
                # Each side has to have seen it before the next step: a look of the caller, and its margin.
                await asyncio.sleep(1.3)
            house.signing.believe(only_last=True)
            await load.some(10)
        shown = await certificate_of(server, house)
    assert load.failures == []
    assert load.done > 50
    assert shown == house.ocr.files[0].read_bytes()
    with capsys.disabled():
        print(f" [{load.done} pages, 0 failed, 11 changes]", end="")  # noqa: T201 - shown beside its name


async def certificate_of(server: OcrServer, house: House) -> bytes:
    """What the service shows to a new connection, as PEM; it demands a certificate, too."""
    certificate, key, authorities = (str(path) for path in house.gateway.files)
    context = ssl.create_default_context(cafile=authorities)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, server_hostname=NAME)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return ssl.DER_cert_to_PEM_cert(shown).encode()


EXPIRED = {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2021, 1, 1, tzinfo=UTC)}


def _unknown_signer(house: House) -> None:
    house.signing.believe()
    house.signing.sign()
    house.signing.keys.append(Ed25519PrivateKey.generate())
    house.signing.believe(only_last=True)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda house: house.ocr.show(house.authority, **EXPIRED), "has expired: renew it"),
        (lambda house: house.ocr.show(house.authority, "another"), "another name: set PECIA_OCR__TLS__SERV"),
        (lambda house: house.ocr.show(trustme.CA()), "authority that PECIA_OCR__TLS__CA_FILE does not hold"),
        (lambda house: house.gateway.show(house.authority, **EXPIRED), "expired at 2021-01-01 00:00 UTC. Re"),
        (lambda house: house.gateway.show(trustme.CA()), "PECIA_TLS__CLIENT_CA_FILE holds"),
        (_unknown_signer, "public key of its signer"),
    ],
    ids=["expired", "wrong name", "wrong authority", "expired caller", "unknown caller", "unknown signer"],
)
async def test_what_does_not_fit_is_refused_with_what_to_do(
    house: House, spoil: Callable[[House], Any], said: str
) -> None:
    """No page is read, and whoever looks at /ready or /health finds the reason."""
    spoil(house)
    async with house.open() as (_, client):
        with pytest.raises(PeciaError) as refused:
            await client.recognize(PAGE, RecognizeOptions(model="scripted"), call())
        assert refused.value.code == "engine_unavailable"
        assert said in (await client.describe()).trouble


async def test_a_caller_without_a_certificate_is_refused(house: House) -> None:
    """Mutual TLS is demanded before a word is heard; the plain port knows only health."""
    async with running(house.service()) as server:
        client = house.client(server, tls={"ca_file": house.gateway.files[2], "server_name": NAME})
        with pytest.raises(PeciaError):
            await client.recognize(PAGE, RecognizeOptions(model="scripted"), call())
        assert "set PECIA_OCR__TLS__CERT_FILE" in (await client.describe()).trouble
        await client.close()


async def test_a_broken_file_changes_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The former certificates go on; the log says so, and the good ones count when they are there."""
    async with house.open() as (_, client):
        options = RecognizeOptions(model="scripted")
        await client.recognize(PAGE, options, call())
        with caplog.at_level(logging.ERROR):
            for side in (house.ocr, house.gateway):
                write(side.files[0], b"half a certi")
            await asyncio.sleep(0.6)
            await client.recognize(PAGE, options, call())
        assert "the former ones stay in force" in caplog.text
        for side in (house.ocr, house.gateway):
            side.show(house.authority)
        await asyncio.sleep(0.6)
        await client.recognize(PAGE, options, call())


async def test_the_health_port_is_plain_and_knows_only_health(house: House, free_port: int) -> None:
    """For probes of Kubernetes, which know neither TLS nor keys."""
    async with running(house.service(grpc={"health_port": free_port})) as server:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{free_port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for name in ("", "pecia.ocr.v1.OcrService"):
                answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ocr_pb2_grpc.OcrServiceStub(channel).Describe(ocr_pb2.DescribeRequest())
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.fixture
def free_port() -> int:
    """One nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def test_the_authority_of_one_machine_fits_the_services(tmp_path: Path) -> None:
    """What `make up` hands out is what both sides take, and take anew."""
    authority = Authority(tmp_path)
    authority.renew()
    tls = {"cert_file": authority.certificate("ocr"), "key_file": authority.key("ocr"), "reload_s": 0}
    settings = scripted_settings(
        tls={**tls, "client_ca_file": authority.bundle},
        assertion={"keys_file": authority.verifying, "reload_s": 0},
    )
    own = {"cert_file": authority.certificate("worker"), "key_file": authority.key("worker")}
    async with running(settings) as server:
        given = {
            "target": f"127.0.0.1:{server.port}",
            "tls": {**own, "ca_file": authority.bundle, "server_name": NAME},
            "assertion": {"key_file": authority.signing},
            "resolve_interval_s": 0.1,
        }
        client = OcrClient(OcrSettings.model_validate(given))
        load = Load(client)
        async with load.flowing():
            for _ in range(3):
                await load.some()
                authority.certificate("ocr").unlink()
                assert authority.renew()
                await asyncio.sleep(1.5)  # as long as the caller takes to see the key that signs
        await client.close()
    assert load.failures == []
