"""The gRPC client against a real gRPC server."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_client.grpc import GrpcClient
from pecia_core import wire
from pecia_core.document import Block, Line, Page
from pecia_core.errors import DeadlineExceeded, Overloaded, Unavailable
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Delta, Recognition, RecognizeOptions, Started
from pecia_core.vocabulary import BlockKind, ModelSize, TaskType

_BOX = Polygon.from_bbox(BBox(1, 2, 30, 12))
_LINE = Line("Total 4.50", _BOX, 0.5)
_PAGE = Page(100, 60, (Block(BlockKind.PARAGRAPH, _BOX, (_LINE,)),))
_RECOGNITION = Recognition(_PAGE, "Total 4.50", engine="scripted")


class _Service(ocr_pb2_grpc.OcrServiceServicer):
    """Answers every picture with one line; the picture's bytes may ask for trouble."""

    def __init__(self) -> None:
        self.options: list[RecognizeOptions] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.ended = Event()

    def Recognize(  # noqa: N802 - the contract's name
        self, request: ocr_pb2.RecognizeRequest, context: grpc.ServicerContext
    ) -> ocr_pb2.RecognizeResponse:
        """One answer, or the refusal the picture names."""
        self.options.append(wire.options_from_proto(request.options))
        self.metadata.append(dict(context.invocation_metadata()))
        if request.picture.encoded == b"full":
            _refuse(context)
        if request.picture.encoded == b"slow":
            time.sleep(0.5)
        return ocr_pb2.RecognizeResponse(recognition=wire.recognition_to_proto(_RECOGNITION))

    def RecognizeStream(  # noqa: N802 - the contract's name
        self, request: ocr_pb2.RecognizeStreamRequest, context: grpc.ServicerContext
    ) -> Iterator[ocr_pb2.RecognizeStreamResponse]:
        """Started, one delta, an event of the future, finished."""
        context.add_callback(self.ended.set)
        yield wire.event_to_proto(Started("scripted"))
        yield wire.event_to_proto(Delta("Total 4.50", _LINE))
        if request.picture.encoded == b"full":
            _refuse(context)
        while request.picture.encoded == b"endless" and context.is_active():
            time.sleep(0.02)
        yield ocr_pb2.RecognizeStreamResponse()
        yield wire.event_to_proto(_RECOGNITION)

    def RecognizePages(  # noqa: N802 - the contract's name
        self, request: ocr_pb2.RecognizePagesRequest, context: grpc.ServicerContext
    ) -> Iterator[ocr_pb2.RecognizePagesResponse]:
        """Each page; one called full is refused."""
        self.options.append(wire.options_from_proto(request.options))
        for picture in request.pictures:
            if picture.encoded == b"full":
                _refuse(context)
            yield ocr_pb2.RecognizePagesResponse(recognition=wire.recognition_to_proto(_RECOGNITION))

    def Describe(  # noqa: N802 - the contract's name
        self,
        request: ocr_pb2.DescribeRequest,  # noqa: ARG002 - the contract's shape
        context: grpc.ServicerContext,  # noqa: ARG002 - the contract's shape
    ) -> ocr_pb2.DescribeResponse:
        """One engine."""
        return ocr_pb2.DescribeResponse(engines=[ocr_pb2.EngineDescription(name="scripted")])

    def Forget(  # noqa: N802 - the contract's name
        self,
        request: ocr_pb2.ForgetRequest,  # noqa: ARG002 - the contract's shape
        context: grpc.ServicerContext,  # noqa: ARG002 - the contract's shape
    ) -> ocr_pb2.ForgetResponse:
        """Nothing was kept."""
        return ocr_pb2.ForgetResponse()

    def KeyUses(  # noqa: N802 - the contract's name
        self,
        request: ocr_pb2.KeyUsesRequest,  # noqa: ARG002 - the contract's shape
        context: grpc.ServicerContext,  # noqa: ARG002 - the contract's shape
    ) -> ocr_pb2.KeyUsesResponse:
        """Nobody has shown a key."""
        return ocr_pb2.KeyUsesResponse()


def _refuse(context: grpc.ServicerContext) -> None:
    info, retry = any_pb2.Any(), any_pb2.Any()
    info.Pack(
        error_details_pb2.ErrorInfo(
            reason="rate_limit_exceeded", domain="pecia.dev", metadata={"param": "tenant"}
        )
    )
    delay = error_details_pb2.RetryInfo()
    delay.retry_delay.FromMilliseconds(2500)
    retry.Pack(delay)
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="Too many.", details=[info, retry])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many.")


@pytest.fixture
def service() -> _Service:
    """What answers."""
    return _Service()


@pytest.fixture
def target(service: _Service) -> Iterator[str]:
    """Where it answers."""
    server = grpc.server(ThreadPoolExecutor(4))
    ocr_pb2_grpc.add_OcrServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def test_a_page_comes_back_in_the_document_model(service: _Service, target: str) -> None:
    """Options, key and request id go out; the recognition comes back as the services know it."""
    options = RecognizeOptions("rapid", TaskType.LOCATE, ModelSize.TINY, "Total", ("ind",))
    with GrpcClient(target, api_key="k-1") as client:
        recognition = client.recognize(b"picture", options, request_id="req-1")
    assert recognition == _RECOGNITION
    assert service.options == [options]
    assert service.metadata[0]["authorization"] == "Bearer k-1"
    assert service.metadata[0]["x-request-id"] == "req-1"


def test_events_come_in_order_and_the_future_is_passed_over(target: str) -> None:
    """Started, deltas and the recognition; an event this client does not know is skipped."""
    with GrpcClient(target) as client:
        started, delta, finished = client.stream(b"picture")
    assert isinstance(started, Started)
    assert isinstance(delta, Delta)
    assert delta.line == _LINE
    assert finished == _RECOGNITION


def test_several_pages_come_together(service: _Service, target: str) -> None:
    """All of them, or an error."""
    options = RecognizeOptions("deepseek-ocr", TaskType.MARKDOWN, page_index=3)
    with GrpcClient(target) as client:
        assert client.recognize_pages([b"one", b"two"], options) == [_RECOGNITION] * 2
        with pytest.raises(Overloaded, match="Too many"):
            client.recognize_pages([b"one", b"full"], options)
    assert service.options == [options] * 2


@pytest.mark.parametrize("streaming", [False, True])
def test_a_refusal_keeps_code_param_wait_and_request_id(target: str, streaming: bool) -> None:
    """ErrorInfo and RetryInfo become the same error the service raised."""
    with GrpcClient(target) as client, pytest.raises(Overloaded, match="Too many") as caught:
        if streaming:
            list(client.stream(b"full", request_id="req-2"))
        else:
            client.recognize(b"full", request_id="req-2")
    error = caught.value
    assert (error.code, error.param, error.retry_after, error.request_id) == (
        "rate_limit_exceeded",
        "tenant",
        2.5,
        "req-2",
    )


def test_a_deadline_is_kept(target: str) -> None:
    """A page that takes longer than the timeout is DeadlineExceeded."""
    with GrpcClient(target, timeout_s=0.1) as client, pytest.raises(DeadlineExceeded):
        client.recognize(b"slow")


def test_leaving_a_stream_cancels_the_call(service: _Service, target: str) -> None:
    """A caller that has seen enough frees the server."""
    with GrpcClient(target) as client:
        stream = client.stream(b"endless")
        next(stream)
        stream.close()
        assert service.ended.wait(20)


def test_nobody_listening_is_unavailable() -> None:
    """A refused connection is an error of the family, not of the transport."""
    with GrpcClient("127.0.0.1:9", timeout_s=5) as client, pytest.raises(Unavailable):
        client.describe()


def test_describe_speaks_the_contract(target: str) -> None:
    """Engines as the service lists them."""
    with GrpcClient(target) as client:
        assert [engine.name for engine in client.describe().engines] == ["scripted"]


def test_a_kept_result_can_be_refused(service: _Service, target: str) -> None:
    """A client without cache says so on every call, beside its key."""
    with GrpcClient(target) as client:
        client.recognize(b"picture")
    with GrpcClient(target, api_key="k-1", cache=False) as client:
        client.recognize(b"picture")
    assert [said.get("cache-control") for said in service.metadata] == [None, "no-cache"]
    assert service.metadata[1]["authorization"] == "Bearer k-1"
