"""The ocr service's gRPC API, typed: the document model in, the document model out."""

from collections.abc import Generator, Sequence
from typing import Self

import grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core import wire
from pecia_core.errors import PeciaError
from pecia_core.recognition import Event, Recognition, RecognizeOptions

from pecia_client.rpc_failures import from_rpc

# Above the service's own picture limit, so that the service answers and not this library.
_MESSAGE_BYTES = 64 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
)


class GrpcClient:
    """Reads one page image a call. Safe to share between threads."""

    def __init__(
        self,
        target: str = "127.0.0.1:50051",
        *,
        api_key: str | None = None,
        timeout_s: float = 300.0,
        credentials: grpc.ChannelCredentials | None = None,
        cache: bool = True,
    ) -> None:
        """Open a channel; it connects with the first call.

        Args:
            target: name:port of the ocr service.
            api_key: sent as a bearer token.
            timeout_s: seconds, sent along as the call's deadline.
            credentials: for TLS or mutual TLS; None = plain text.
            cache: False = have every page read, although its result may be kept.
        """
        key = (("authorization", f"Bearer {api_key}"),) if api_key else ()
        self._metadata = key if cache else (*key, ("cache-control", "no-cache"))
        self._timeout_s = timeout_s
        self._channel = (
            grpc.secure_channel(target, credentials, options=_OPTIONS)
            if credentials
            else grpc.insecure_channel(target, options=_OPTIONS)
        )
        self._stub = ocr_pb2_grpc.OcrServiceStub(self._channel)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the channel."""
        self.close()

    def close(self) -> None:
        """Close the channel; running calls are cancelled."""
        self._channel.close()

    def recognize(
        self, data: bytes, options: RecognizeOptions | None = None, *, request_id: str = ""
    ) -> Recognition:
        """Read an encoded picture and wait for all of it; raises PeciaError."""
        request = ocr_pb2.RecognizeRequest(
            picture=ocr_pb2.Picture(encoded=data),
            options=wire.options_to_proto(options or RecognizeOptions()),
        )
        try:
            reply = self._stub.Recognize(request, timeout=self._timeout_s, metadata=self._call(request_id))
        except grpc.RpcError as failure:
            raise _failed(failure, request_id) from failure
        return wire.recognition_from_proto(reply.recognition)

    def stream(
        self, data: bytes, options: RecognizeOptions | None = None, *, request_id: str = ""
    ) -> Generator[Event, None, None]:
        """Read an encoded picture and get what is recognised as it is; the last event is the Recognition.

        Leaving the loop early cancels the call.
        """
        request = ocr_pb2.RecognizeStreamRequest(
            picture=ocr_pb2.Picture(encoded=data),
            options=wire.options_to_proto(options or RecognizeOptions()),
        )
        call = self._stub.RecognizeStream(request, timeout=self._timeout_s, metadata=self._call(request_id))
        try:
            for message in call:
                if (event := wire.event_from_proto(message)) is not None:
                    yield event
        except grpc.RpcError as failure:
            raise _failed(failure, request_id) from failure
        finally:
            call.cancel()

    def recognize_pages(
        self, pages: Sequence[bytes], options: RecognizeOptions | None = None, *, request_id: str = ""
    ) -> list[Recognition]:
        """Read several encoded pictures as one document, with a model that was taught to.

        Args:
            pages: one picture each; as many as `pages_together` of `describe` says.
            options: of all of them; page_index is the first page's.
            request_id: to find the call in logs.

        Raises:
            InvalidRequest: they cannot be read together (`pages_not_together`): read each by itself.
            PeciaError: as `recognize`.
        """
        request = ocr_pb2.RecognizePagesRequest(
            pictures=[ocr_pb2.Picture(encoded=page) for page in pages],
            options=wire.options_to_proto(options or RecognizeOptions()),
        )
        call = self._stub.RecognizePages(request, timeout=self._timeout_s, metadata=self._call(request_id))
        try:
            return [wire.recognition_from_proto(message.recognition) for message in call]
        except grpc.RpcError as failure:
            raise _failed(failure, request_id) from failure

    def describe(self) -> ocr_pb2.DescribeResponse:
        """Engines, limits and load, in the contract's own words."""
        try:
            return self._stub.Describe(
                ocr_pb2.DescribeRequest(), timeout=self._timeout_s, metadata=self._call("")
            )
        except grpc.RpcError as failure:
            raise _failed(failure, "") from failure

    def _call(self, request_id: str) -> tuple[tuple[str, str], ...]:
        return (*self._metadata, ("x-request-id", request_id)) if request_id else self._metadata


def _failed(failure: grpc.RpcError, request_id: str) -> PeciaError:
    error = from_rpc(failure)
    error.request_id = request_id
    return error
