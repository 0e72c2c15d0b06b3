"""Several pods on real sockets: who is asked, who is asked next, what the caller hears."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import grpc
import pytest
from pecia.ocr.v1 import ocr_pb2
from pecia_core.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidRequest,
    Overloaded,
    PeciaError,
    Unavailable,
)
from pecia_core.recognition import Delta, Recognition, RecognizeOptions
from pecia_dispatch import Call, OcrClient
from pecia_dispatch.settings import OcrSettings
from pecia_dispatch.testing import Script, ScriptedOcr, serving

_CALL = Call("req_1", "acme", 10.0, "key")
_OPTIONS = RecognizeOptions()
Fleet = Callable[..., Any]


def _full(retry_after: float) -> Script:
    return Script(lines=(), error=Overloaded("No room.", retry_after=retry_after))


def _pod(script: Script) -> ScriptedOcr:
    return ScriptedOcr(play=lambda _picture, _options: script)


@pytest.fixture
async def client_of() -> AsyncIterator[Fleet]:
    """A client in front of pods, closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def start(*pods: ScriptedOcr, **settings: Any) -> OcrClient:
            targets = [await stack.enter_async_context(serving(pod)) for pod in pods]
            client = OcrClient(OcrSettings(target=",".join(targets), **settings))
            stack.push_async_callback(client.close)
            return client

        yield start


async def test_calls_spread_over_pods(client_of: Fleet) -> None:
    """Least outstanding first: six slow calls on three pods are two each."""
    pods = [_pod(Script(wait_s=0.5)) for _ in range(3)]
    client = await client_of(*pods)
    await asyncio.gather(*(client.recognize(b"page", _OPTIONS, _CALL) for _ in range(6)))
    assert [len(pod.seen) for pod in pods] == [2, 2, 2]


async def test_identity_and_deadline_travel(client_of: Fleet) -> None:
    """Request id, tenant, key and the time left reach the pod."""
    pod = _pod(Script())
    client = await client_of(pod)
    await client.recognize(b"page", _OPTIONS, _CALL)
    (seen,) = pod.seen
    assert seen.metadata["x-request-id"] == "req_1"
    assert seen.metadata["x-pecia-tenant"] == "acme"
    assert seen.metadata["authorization"] == "Bearer key"
    assert seen.remaining_s is not None
    assert seen.remaining_s <= 10.0


@pytest.mark.parametrize("code", ["queue_full", "draining", "model_loading"])
async def test_a_refused_call_is_tried_on_another_pod(client_of: Fleet, code: str) -> None:
    """The client never hears of it."""
    error: PeciaError = Overloaded("No room.") if code == "queue_full" else Unavailable("No.", code=code)
    refusing, willing = _pod(Script(lines=(), error=error)), _pod(Script())
    client = await client_of(refusing, willing)
    for _ in range(4):
        assert (await client.recognize(b"page", _OPTIONS, _CALL)).text == "hello\nworld"
    assert len(willing.seen) == 4


async def test_no_room_anywhere(client_of: Fleet) -> None:
    """429 only then, with the hint of the pod that has room first; each pod was asked once."""
    pods = [_pod(_full(7)), _pod(_full(3))]
    client = await client_of(*pods)
    with pytest.raises(Overloaded) as caught:
        await client.recognize(b"page", _OPTIONS, _CALL)
    assert caught.value.retry_after == 3
    assert [len(pod.seen) for pod in pods] == [1, 1]


async def test_a_page_that_fails_is_not_tried_again(client_of: Fleet) -> None:
    """A page that breaks one engine would break the next."""
    pods = [_pod(Script(error=EngineFailed("It broke."))) for _ in range(2)]
    client = await client_of(*pods)
    with pytest.raises(EngineFailed):
        await client.recognize(b"page", _OPTIONS, _CALL)
    assert sum(len(pod.seen) for pod in pods) == 1


async def test_a_pod_that_is_gone_is_stepped_over() -> None:
    """Its connection is refused; the other answers, and the dead one is avoided afterwards."""
    willing = _pod(Script())
    async with serving(_pod(Script())) as dead, serving(willing) as alive:
        pass_over = dead
    async with serving(willing) as alive:
        client = OcrClient(OcrSettings(target=f"{pass_over},{alive}"))
        for _ in range(3):
            assert (await client.recognize(b"page", _OPTIONS, _CALL)).text
        await client.close()


async def test_nobody_answers() -> None:
    """An honest 503, and an empty fleet instead of an error."""
    async with serving(_pod(Script())) as target:
        pass
    client = OcrClient(OcrSettings(target=target))
    with pytest.raises(Unavailable):
        await client.recognize(b"page", _OPTIONS, _CALL)
    assert (await client.describe()).engines == ()
    await client.close()


async def test_a_stream_that_has_spoken_is_not_begun_again(client_of: Fleet) -> None:
    """The text so far stands, then the error comes; no other pod repeats the page."""
    broken = Script(lines=("one",), error=Unavailable("The worker died."))
    pods = [_pod(broken), _pod(broken)]
    client = await client_of(*pods)
    said = []
    with pytest.raises(Unavailable):
        async for event in client.stream(b"page", _OPTIONS, _CALL):
            said.append(event)
    assert [event.text for event in said if isinstance(event, Delta)] == ["one"]
    assert sum(len(pod.seen) for pod in pods) == 1


async def test_a_stream_refused_before_its_first_word_is_tried_elsewhere(client_of: Fleet) -> None:
    """Started is not a word of text."""
    pods = [_pod(_full(1)), _pod(Script())]
    client = await client_of(*pods)
    for _ in range(2):
        events = [event async for event in client.stream(b"page", _OPTIONS, _CALL)]
        assert isinstance(events[-1], Recognition)


async def test_several_pages_are_one_call(client_of: Fleet) -> None:
    """A pod with no room is stepped over, one that leaves a page out has failed."""
    full = ScriptedOcr(not_together=Overloaded("No room."))
    willing = ScriptedOcr(play=lambda picture, _options: Script((picture.decode(),)))
    client = await client_of(full, willing)
    for _ in range(2):
        read = await client.recognize_pages([b"one", b"two"], _OPTIONS, _CALL)
        assert [page.text for page in read] == ["one", "two"]
    willing.pages_left_out = 1
    with pytest.raises(EngineFailed, match="another number of pages"):
        await client.recognize_pages([b"one", b"two"], _OPTIONS, _CALL)


class _Former(ScriptedOcr):
    """A pod of a version that did not know the call."""

    async def RecognizePages(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.RecognizePagesRequest,  # noqa: ARG002 - of the contract
        context: Any,
    ) -> AsyncIterator[ocr_pb2.RecognizePagesResponse]:
        """As gRPC answers for it."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        yield ocr_pb2.RecognizePagesResponse()


async def test_a_former_pod_reads_one_page_at_a_time(client_of: Fleet) -> None:
    """Whoever asked may do that, and the pod is none that failed."""
    client = await client_of(_Former())
    with pytest.raises(InvalidRequest) as refused:
        await client.recognize_pages([b"one", b"two"], _OPTIONS, _CALL)
    assert refused.value.code == "pages_not_together"
    assert (await client.recognize(b"page", _OPTIONS, _CALL)).text == "hello\nworld"


async def test_leaving_a_stream_cancels_the_work(client_of: Fleet) -> None:
    """The pod sees the cancel."""
    pod = _pod(Script(lines=tuple("abcdefgh"), pause_s=0.2))
    client = await client_of(pod)
    async with aclosing(client.stream(b"page", _OPTIONS, _CALL)) as events:
        async for event in events:
            if isinstance(event, Delta):
                break
    async with asyncio.timeout(5):
        while not pod.cancelled:
            await asyncio.sleep(0.02)


async def test_a_cancelled_call_cancels_the_work(client_of: Fleet) -> None:
    """Unary calls, too."""
    pod = _pod(Script(wait_s=30))
    client = await client_of(pod)
    call = asyncio.ensure_future(client.recognize(b"page", _OPTIONS, _CALL))
    async with asyncio.timeout(5):
        while not pod.running:
            await asyncio.sleep(0.02)
        call.cancel()
        while not pod.cancelled:
            await asyncio.sleep(0.02)


async def test_the_deadline_holds(client_of: Fleet) -> None:
    """A slow pod is not waited for longer than the caller waits."""
    client = await client_of(_pod(Script(wait_s=30)))
    with pytest.raises(DeadlineExceeded):
        await client.recognize(b"page", _OPTIONS, Call("r", "t", 0.3))


async def test_the_fleet_is_all_pods_together(client_of: Fleet) -> None:
    """Slots add up, engines appear once; the trailers' load is shown per pod."""
    client = await client_of(_pod(Script()), _pod(Script()))
    fleet = await client.describe()
    assert (fleet.pods, fleet.free_slots, fleet.pages_per_second) == (2, 4, 2.0)
    assert [(engine.name, engine.slots) for engine in fleet.engines] == [("rapid", 4)]
    await client.recognize(b"page", _OPTIONS, _CALL)
    assert all(pod.reachable and pod.free_slots == 2 for pod in client.pods())
