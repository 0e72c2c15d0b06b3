"""The service over a real socket: answers, refusals, health, drain, identity, transport security."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import trustme
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.keys import create_key
from pecia_ocr.engines.scripted import digest_of
from pecia_ocr.lanes import build_lanes
from pecia_ocr.server import OcrServer
from pecia_ocr.settings import Settings
from pecia_ocr.testing import picture, scripted_settings, until
from prometheus_client import generate_latest

StartServer = Callable[..., Awaitable[OcrServer]]

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def _request(data: bytes | None = None, **options: Any) -> ocr_pb2.RecognizeRequest:
    return ocr_pb2.RecognizeRequest(
        picture=ocr_pb2.Picture(encoded=picture() if data is None else data),
        options=ocr_pb2.RecognizeOptions(**{"model": "scripted"} | options),
    )


def _stream_request(data: bytes | None = None, **options: Any) -> ocr_pb2.RecognizeStreamRequest:
    request = _request(data, **options)
    return ocr_pb2.RecognizeStreamRequest(picture=request.picture, options=request.options)


def _reason(error: grpc.aio.AioRpcError) -> tuple[str, float | None]:
    """ErrorInfo's reason and RetryInfo's seconds."""
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    reason, retry = "", None
    for detail in status.details:
        info, hint = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            assert info.domain == "pecia.dev"
            reason = info.reason
        elif detail.Unpack(hint):
            retry = hint.retry_delay.ToMilliseconds() / 1000
    return reason, retry


async def test_a_page_is_read(channel: grpc.aio.Channel) -> None:
    """Text, engine, timings, usage; free slots and queue length in the trailers."""
    call = ocr_pb2_grpc.OcrServiceStub(channel).Recognize(_request(ref_text="lines count=3", page_index=4))
    recognition = (await call).recognition
    assert recognition.engine == "scripted"
    assert recognition.page.index == 4
    assert (recognition.page.width, recognition.page.height) == (64, 48)
    assert len(recognition.text.split("\n")) == 3
    assert recognition.timings.total_ms >= recognition.timings.engine_ms >= 0
    assert recognition.usage.completion_tokens == len(recognition.text.split())
    trailers = dict(await call.trailing_metadata())
    assert set(trailers) >= {"pecia-free-slots", "pecia-queue-length"}


async def test_a_stream_tells_the_page_as_it_is_read(channel: grpc.aio.Channel) -> None:
    """Started, deltas, blocks, finished; the deltas joined are the text."""
    stub = ocr_pb2_grpc.OcrServiceStub(channel)
    events = [event async for event in stub.RecognizeStream(_stream_request(ref_text="lines count=5"))]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["started", *["delta"] * 5, "block", "finished"]
    assert "".join(event.delta.text for event in events) == events[-1].finished.text


async def test_raw_pixels_are_read_like_a_file(channel: grpc.aio.Channel) -> None:
    """Same picture, same answer, stride included."""
    pixels = np.full((48, 64, 3), 200, np.uint8)
    rows = np.zeros((48, 200), np.uint8)
    rows[:, :192] = pixels.reshape(48, 192)
    raw = ocr_pb2.RawPixels(width=64, height=48, channels=3, stride=200, data=rows.tobytes())
    request = _request()
    request.picture.raw.CopyFrom(raw)
    reply = await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(request)
    assert digest_of(pixels) in reply.recognition.text


async def test_a_blob_is_read(start_server: StartServer, tmp_path: Path) -> None:
    """A picture by reference comes from the configured folder."""
    (tmp_path / "page").write_bytes(picture())
    server = await start_server(scripted_settings(blobs={"root": tmp_path}))
    request = _request()
    request.picture.blob.key = "page"
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        reply = await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(request)
    assert reply.recognition.page.width == 64


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (_request(b""), grpc.StatusCode.INVALID_ARGUMENT, "empty_image_file"),
        (_request(b"<html>"), grpc.StatusCode.INVALID_ARGUMENT, "unsupported_image_media_type"),
        (_request(picture()[:60]), grpc.StatusCode.INVALID_ARGUMENT, "invalid_image"),
        (_request(b"\x89PNG" + b"x" * 10 * 2**20), grpc.StatusCode.INVALID_ARGUMENT, "image_file_too_large"),
        (_request(model="nope"), grpc.StatusCode.NOT_FOUND, "model_not_found"),
        (_request(task_type=4), grpc.StatusCode.INVALID_ARGUMENT, "missing_required_parameter"),
        (
            _request(task_type=4, ref_text="<|ref|><|/ref|>"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "missing_required_parameter",
        ),
        (_request(ref_text="fail"), grpc.StatusCode.INTERNAL, "server_error"),
        (_request(ref_text="crash"), grpc.StatusCode.UNAVAILABLE, "engine_unavailable"),
        (ocr_pb2.RecognizeRequest(), grpc.StatusCode.INVALID_ARGUMENT, "missing_required_parameter"),
    ],
)
async def test_bad_input_has_its_status_and_the_service_goes_on(
    channel: grpc.aio.Channel, request_: ocr_pb2.RecognizeRequest, status: grpc.StatusCode, reason: str
) -> None:
    """Each refusal carries ErrorInfo, and the next page is read."""
    stub = ocr_pb2_grpc.OcrServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Recognize(request_)
    assert caught.value.code() is status
    assert _reason(caught.value)[0] == reason
    assert caught.value.details()
    assert (await stub.Recognize(_request())).recognition.text


async def test_a_decompression_bomb_is_refused_by_its_header(channel: grpc.aio.Channel) -> None:
    """30,000 x 30,000 pixels in a few bytes are never decoded."""
    header = picture()[:16] + (30_000).to_bytes(4, "big") * 2 + picture()[24:]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(_request(header))
    assert _reason(caught.value)[0] in {"image_too_large", "invalid_image"}


async def test_a_full_queue_says_when_to_come_back(start_server: StartServer) -> None:
    """RESOURCE_EXHAUSTED with RetryInfo; those admitted are served."""
    server = await start_server(
        scripted_settings(limits={"max_queue_length": 1}, engines={"scripted_workers": 1})
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        calls = [stub.Recognize(_request(ref_text="slow count=5")) for _ in range(4)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert [error.code() for error in refused] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
    reason, retry = _reason(refused[0])
    assert reason == "queue_full"
    assert retry is not None
    assert retry > 0


async def test_a_deadline_shorter_than_the_queue_is_refused_at_once(start_server: StartServer) -> None:
    """Nobody waits for an answer that would come too late."""
    server = await start_server(scripted_settings(engines={"scripted_workers": 1}))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        running = [
            asyncio.ensure_future(stub.Recognize(_request(ref_text="slow count=20"))) for _ in range(3)
        ]
        await until(lambda: server.lanes[0].queue_length == 2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recognize(_request(), timeout=1.5)
        assert _reason(caught.value)[0] == "queue_full"
        for call in running:
            call.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_deadline_of_a_millisecond(channel: grpc.aio.Channel) -> None:
    """It expires, and the service goes on."""
    stub = ocr_pb2_grpc.OcrServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Recognize(_request(ref_text="slow"), timeout=0.001)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await stub.Recognize(_request())).recognition.text


async def test_health_is_alive_at_once_and_ready_when_loaded(start_server: StartServer) -> None:
    """Loading flips the named services only, so that liveness never ends a loading pod."""
    server = await start_server(ready=False)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)

        async def status(name: str) -> "health_pb2.HealthCheckResponse.ServingStatus":
            return (await health.Check(health_pb2.HealthCheckRequest(service=name))).status

        assert await status("") == _SERVING
        assert await status("pecia.ocr.v1.OcrService") == _NOT_SERVING
        assert await status("scripted") == _NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(_request())
        assert _reason(caught.value) == ("model_loading", 5.0)
        await until(lambda: server.registry.ready)
        await asyncio.sleep(0)
        assert await status("pecia.ocr.v1.OcrService") == _SERVING
        assert await status("scripted") == _SERVING


async def test_describe_says_what_there_is(channel: grpc.aio.Channel) -> None:
    """Engines, limits and load."""
    reply = await ocr_pb2_grpc.OcrServiceStub(channel).Describe(ocr_pb2.DescribeRequest())
    engine = reply.engines[0]
    assert (engine.name, engine.state, engine.slots) == ("scripted", ocr_pb2.ENGINE_STATE_READY, 2)
    assert reply.limits.max_picture_bytes == 10 * 2**20
    assert reply.limits.max_message_bytes > reply.limits.max_picture_bytes
    assert reply.load.free_slots == 2


async def test_stopping_finishes_what_runs(start_server: StartServer) -> None:
    """A page that is being read when the service is told to stop is answered."""
    server = await start_server()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = asyncio.ensure_future(
            ocr_pb2_grpc.OcrServiceStub(channel).Recognize(_request(ref_text="slow count=10"))
        )
        await until(lambda: server.lanes[0].running == 1)
        pids = server.lanes[0].worker_pids
        await server.stop()
        assert len((await call).recognition.text.split("\n")) == 10
    assert all(not Path(f"/proc/{pid}").exists() for pid in pids)


async def test_a_key_is_asked_for_where_keys_are_configured(
    start_server: StartServer, tmp_path: Path
) -> None:
    """No key, a wrong key, the right key; the wrong one is not echoed; health needs none."""
    key, snippet = create_key("acme")
    (tmp_path / "keys.toml").write_text(snippet)
    server = await start_server(scripted_settings(auth={"keys_file": tmp_path / "keys.toml"}))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        for metadata in (
            (),
            (("authorization", "Bearer wrong-secret"),),
            (("authorization", f"Basic {key}"),),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Recognize(_request(), metadata=metadata)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert "wrong-secret" not in str(caught.value)
        await stub.Recognize(_request(), metadata=(("authorization", f"Bearer {key}"),))
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())


async def test_mutual_tls(start_server: StartServer, tmp_path: Path) -> None:
    """A client with a certificate of the authority gets in; one without does not."""
    authority = trustme.CA()
    ours, theirs = authority.issue_cert("localhost"), authority.issue_cert("client")
    for name, blob in (
        ("cert", ours.cert_chain_pems[0]),
        ("key", ours.private_key_pem),
        ("ca", authority.cert_pem),
    ):
        blob.write_to_path(tmp_path / name)
    tls = {"cert_file": tmp_path / "cert", "key_file": tmp_path / "key", "client_ca_file": tmp_path / "ca"}
    server: OcrServer = await start_server(scripted_settings(tls=tls))
    address, root = f"localhost:{server.port}", authority.cert_pem.bytes()
    with_certificate = grpc.ssl_channel_credentials(
        root, theirs.private_key_pem.bytes(), theirs.cert_chain_pems[0].bytes()
    )
    async with grpc.aio.secure_channel(address, with_certificate) as channel:
        assert (await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(_request())).recognition.text
    async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(root)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(_request(), timeout=3)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_metrics_name_the_engine_and_the_outcome(server: OcrServer, channel: grpc.aio.Channel) -> None:
    """The seeds' counter: one page read by scripted, one refused."""
    stub = ocr_pb2_grpc.OcrServiceStub(channel)
    await stub.Recognize(_request())
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.Recognize(_request(b""))
    text = generate_latest(server.metrics_registry).decode()
    counted = [line for line in text.splitlines() if line.startswith("ocr_requests_total{")]
    assert any('engine="scripted"' in line and line.endswith(" 1.0") for line in counted), counted
    assert any("empty_image_file" in line for line in counted), counted


def test_a_pinned_key_that_is_not_there_stops_the_service(tmp_path: Path) -> None:
    """At once: a checkpoint must not be taken unsigned because a file was not mounted."""
    pinned = {"signing_key_file": tmp_path / "nowhere.pub"}
    settings = Settings.model_validate({"model_path": tmp_path, "deepseek": pinned})
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pub"):
        build_lanes(settings)
