"""What dispatch knows and does when pods fill, die, drain, move and differ, over real gRPC servers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from pecia_core.errors import EngineFailed, NotFound, Overloaded, PeciaError, Unauthenticated, Unavailable
from pecia_core.recognition import Delta, Recognition, RecognizeOptions, Started
from pecia_core.vocabulary import EngineName, EngineState
from pecia_dispatch import Call, OcrClient
from pecia_dispatch.settings import ClientTlsSettings, OcrSettings
from pecia_dispatch.testing import Script, ScriptedOcr, engine_description, serving

_CALL = Call("req_1", "acme", 10.0, "key")
_OPTIONS = RecognizeOptions()
Start = Callable[..., Any]


def _pod(**script: Any) -> ScriptedOcr:
    return ScriptedOcr(play=lambda _picture, _options: Script(**script))


def _full(retry_after: float = 5.0) -> ScriptedOcr:
    return _pod(lines=(), error=Overloaded("No room.", retry_after=retry_after))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def client_of() -> AsyncIterator[Start]:
    """A client in front of pods, closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def start(*pods: ScriptedOcr, **settings: Any) -> OcrClient:
            targets = [await stack.enter_async_context(serving(pod)) for pod in pods]
            client = OcrClient(OcrSettings(target=",".join(targets), **settings))
            stack.push_async_callback(client.close)
            return client

        yield start


async def test_a_third_pod_with_room_is_found(client_of: Start) -> None:
    """Two pods refuse, the third reads: nobody hears 429 while somebody has room."""
    willing = _pod()
    client = await client_of(_full(), _full(), willing)
    for _ in range(3):
        assert (await client.recognize(b"page", _OPTIONS, _CALL)).text == "hello\nworld"
    assert len(willing.seen) == 3


async def test_pods_that_have_just_refused_are_not_all_asked_again(client_of: Start) -> None:
    """When everybody is full a call costs two refusals, not one of every pod."""
    pods = [_full() for _ in range(5)]
    client = await client_of(*pods)
    for _ in range(2):
        with pytest.raises(Overloaded):
            await client.recognize(b"page", _OPTIONS, _CALL)
    assert sum(len(pod.seen) for pod in pods) == 5 + 2


async def test_more_free_slots_win_among_equals(client_of: Start) -> None:
    """The trailers of the last replies decide where no call is outstanding."""
    busy, idle = _pod(), _pod()
    busy.trailers = (("pecia-free-slots", "1"), ("pecia-queue-length", "0"))
    idle.trailers = (("pecia-free-slots", "8"), ("pecia-queue-length", "0"))
    client = await client_of(busy, idle, resolve_interval_s=600)
    await client.describe()
    await asyncio.gather(*(client.recognize(b"page", _OPTIONS, _CALL) for _ in range(2)))
    for _ in range(4):
        await client.recognize(b"page", _OPTIONS, _CALL)
    assert (len(busy.seen), len(idle.seen)) == (1, 5)


async def test_equal_pods_take_turns(client_of: Start) -> None:
    """One call after the other does not wear out the first pod of the list."""
    pods = [_pod(), _pod(), _pod()]
    client = await client_of(*pods, resolve_interval_s=600)
    await client.describe()
    for _ in range(6):
        await client.recognize(b"page", _OPTIONS, _CALL)
    assert [len(pod.seen) for pod in pods] == [2, 2, 2]


async def test_a_page_goes_where_its_model_is(client_of: Start) -> None:
    """Pods of different engines behind one target: no 404 from the wrong one."""
    rapid = _pod()
    tesseract = ScriptedOcr(engines=[engine_description(EngineName.TESSERACT, models=("tesseract",))])
    client = await client_of(rapid, tesseract)
    await client.describe()
    for _ in range(3):
        await client.recognize(b"page", RecognizeOptions(model="tesseract"), _CALL)
    assert (len(rapid.seen), len(tesseract.seen)) == (0, 3)


@pytest.mark.parametrize("state", [EngineState.LOADING, EngineState.DRAINING])
async def test_pods_that_are_not_ready_are_asked_last(client_of: Start, state: EngineState) -> None:
    """Their own description says so before any page is lost on them."""
    going = ScriptedOcr(engines=[engine_description(state=state)])
    staying = _pod()
    client = await client_of(going, staying)
    await client.describe()
    for _ in range(4):
        await client.recognize(b"page", _OPTIONS, _CALL)
    assert (len(going.seen), len(staying.seen)) == (0, 4)


async def test_a_pod_killed_in_the_middle_of_a_page(client_of: Start) -> None:
    """The page is read by another pod; its caller notices nothing but the time."""
    willing = _pod(wait_s=0.2)
    async with AsyncExitStack() as doomed:
        dying = _pod(wait_s=30)
        target = await doomed.enter_async_context(serving(dying))
        async with serving(willing) as other:
            client = OcrClient(OcrSettings(target=f"{target},{other}"))
            calls = [asyncio.ensure_future(client.recognize(b"page", _OPTIONS, _CALL)) for _ in range(4)]
            await _until(lambda: dying.running == 2)
            await doomed.aclose()
            assert [call.text for call in await asyncio.gather(*calls)] == ["hello\nworld"] * 4
            dead = next(pod for pod in client.pods() if pod.address == target)
            assert (dead.reachable, dead.outstanding) == (False, 0)
            await client.close()


async def test_a_pod_killed_in_the_middle_of_its_text() -> None:
    """What was said stands; nobody says it a second time, and the caller hears of the failure."""
    spare = ScriptedOcr(engines=[engine_description(state=EngineState.LOADING)])
    async with AsyncExitStack() as doomed, serving(spare) as other:
        target = await doomed.enter_async_context(serving(_pod(lines=("one", "two", "three"), pause_s=0.3)))
        client = OcrClient(OcrSettings(target=f"{target},{other}"))
        await client.describe()
        said = []
        with pytest.raises(Unavailable) as caught:
            async for event in client.stream(b"page", _OPTIONS, _CALL):
                said.append(event)
                if isinstance(event, Delta):
                    await doomed.aclose()
        assert caught.value.code == "engine_unavailable"
        assert [type(event) for event in said] == [Started, Delta]
        assert spare.seen == []  # which was there to be asked
        await client.close()


async def test_a_stream_begun_twice_starts_once_for_its_caller(client_of: Start) -> None:
    """The first pod leaves after Started; the second one's Started is no news."""
    pods = [_pod(lines=(), error=Unavailable("Leaving.", code="draining")), _pod()]
    pods[0].load.free_slots = 9  # which is why it is asked first
    client = await client_of(*pods, resolve_interval_s=600)
    await client.describe()
    for _ in range(2):
        events = [event async for event in client.stream(b"page", _OPTIONS, _CALL)]
        assert [type(event) for event in events] == [Started, Delta, Delta, Recognition]
    assert [len(pod.seen) for pod in pods] == [1, 2]


async def test_new_addresses_are_found_and_old_ones_finish_what_they_have() -> None:
    """The name moves from one pod to another while a page is being read."""
    old, new = _pod(wait_s=1.0), _pod()
    async with serving(old) as first, serving(new, int(first.rpartition(":")[2]), ip="127.0.0.2"):
        addresses = ["127.0.0.1"]

        async def lookup(_host: str) -> list[str]:
            return list(addresses)

        port = first.rpartition(":")[2]
        client = OcrClient(OcrSettings(target=f"ocr.example:{port}", resolve_interval_s=0.1), lookup)
        running = asyncio.ensure_future(client.recognize(b"page", _OPTIONS, _CALL))
        await _until(lambda: old.running == 1)
        addresses[:] = ["127.0.0.2"]
        await _until(lambda: [pod.address for pod in client.pods()] == [f"127.0.0.2:{port}"])
        await client.recognize(b"page", _OPTIONS, _CALL)
        assert (await running).text == "hello\nworld"
        assert (len(old.seen), len(new.seen)) == (1, 1)
        await client.close()


async def test_a_name_service_that_fails_loses_no_pod() -> None:
    """What was known stays in use."""
    async with serving(_pod()) as target:
        answers = [["127.0.0.1"]]

        async def lookup(_host: str) -> list[str]:
            if not answers:
                raise OSError("no name service")
            return answers.pop()

        port = target.rpartition(":")[2]
        client = OcrClient(OcrSettings(target=f"ocr.example:{port}", resolve_interval_s=0.05), lookup)
        await client.recognize(b"page", _OPTIONS, _CALL)
        await asyncio.sleep(0.5)
        assert (await client.recognize(b"page", _OPTIONS, _CALL)).text
        await client.close()


async def test_a_service_that_starts_later_is_found() -> None:
    """The gateway may be there first: 503, then the answer, without a restart."""
    async with serving(_pod()) as target:
        port = int(target.rpartition(":")[2])
    client = OcrClient(OcrSettings(target=target, resolve_interval_s=0.2))
    with pytest.raises(Unavailable):
        await client.recognize(b"page", _OPTIONS, _CALL)
    async with serving(_pod(), port), asyncio.timeout(15):
        while not (await client.describe()).engines:
            await asyncio.sleep(0.1)
        assert (await client.recognize(b"page", _OPTIONS, _CALL)).text == "hello\nworld"
    await client.close()


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ClientTlsSettings, grpc.ServerCredentials]:
    """What the gateway has to show, and what the service shows and asks for."""
    authority = trustme.CA()
    service, gateway = authority.issue_cert("ocr.internal"), authority.issue_cert("gateway.internal")
    files = {
        "ca_file": authority.cert_pem.bytes(),
        "cert_file": gateway.cert_chain_pems[0].bytes(),
        "key_file": gateway.private_key_pem.bytes(),
    }
    for name, pem in files.items():
        (tmp_path / name).write_bytes(pem)
    pair = (service.private_key_pem.bytes(), service.cert_chain_pems[0].bytes())
    demanding = grpc.ssl_server_credentials([pair], authority.cert_pem.bytes(), require_client_auth=True)
    named = {name: tmp_path / name for name in files}
    return ClientTlsSettings(**named, server_name="ocr.internal"), demanding


async def test_mutual_tls(tls: tuple[ClientTlsSettings, grpc.ServerCredentials]) -> None:
    """The pod is dialled by address and known by name; who shows no certificate is nobody."""
    settings, credentials = tls
    async with serving(_pod(), credentials=credentials) as target:

        async def read(**changes: Any) -> str:
            changed = settings.model_copy(update=changes)
            client = OcrClient(OcrSettings(target=target, tls=changed))
            try:
                return (await client.recognize(b"page", _OPTIONS, _CALL)).text
            finally:
                await client.close()

        assert await read() == "hello\nworld"
        for stranger in ({"cert_file": None, "key_file": None}, {"server_name": "other.internal"}):
            with pytest.raises(Unavailable):
                await read(**stranger)


@pytest.mark.parametrize(
    "error",
    [
        EngineFailed("It broke."),
        Overloaded("Too fast.", code="rate_limit_exceeded", retry_after=7),
        Unauthenticated("Who?"),
        NotFound("No such model.", code="model_not_found", param="model"),
    ],
)
async def test_the_services_own_errors_arrive_whole(client_of: Start, error: PeciaError) -> None:
    """Code, message, field and hint; asked once."""
    pods = [_pod(lines=(), error=error), _pod(lines=(), error=error)]
    client = await client_of(*pods)
    with pytest.raises(type(error)) as caught:
        await client.recognize(b"page", _OPTIONS, _CALL)
    heard = caught.value
    assert (heard.code, heard.message, heard.param) == (error.code, error.message, error.param)
    assert heard.retry_after == error.retry_after
    assert sum(len(pod.seen) for pod in pods) == 1


async def test_the_gateways_own_key_is_no_matter_of_the_caller(client_of: Start) -> None:
    """A wrong key in the gateway's settings is a 503 for its callers, not a 401."""
    pod = _pod(lines=(), error=Unauthenticated("Who?"))
    client = await client_of(pod, bearer_key="the-gateways-own")
    with pytest.raises(Unavailable):
        await client.recognize(b"page", _OPTIONS, _CALL)
    assert pod.seen[0].metadata["authorization"] == "Bearer the-gateways-own"


@pytest.mark.parametrize("bearer", ["schl\u00fcssel", "two\nlines", ""])
async def test_a_key_that_metadata_cannot_carry_is_left_out(client_of: Start, bearer: str) -> None:
    """It must not break the call."""
    pod = _pod()
    client = await client_of(pod)
    await client.recognize(b"page", _OPTIONS, Call("req", "t\u00e9nant", 5.0, bearer))
    assert "authorization" not in pod.seen[0].metadata
    assert pod.seen[0].metadata["x-pecia-tenant"] == "t%C3%A9nant"
