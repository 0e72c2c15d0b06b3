"""Which of many pods is asked: one that has room and answers to the model, not always the same."""

from collections import Counter
from random import Random

import grpc
import pytest
from pecia.ocr.v1 import ocr_pb2
from pecia_dispatch.addresses import Address
from pecia_dispatch.choosing import FEW, choose
from pecia_dispatch.pod import Pod

MANY = 4 * FEW


def description(model: str, free: int, state: "ocr_pb2.EngineState.ValueType") -> ocr_pb2.DescribeResponse:
    """A pod with one engine says so."""
    engine = ocr_pb2.EngineDescription(name=model, models=[model], state=state)
    return ocr_pb2.DescribeResponse(engines=[engine], load=ocr_pb2.Load(free_slots=free))


def drawn_by(caller: int) -> Random:
    """The draws of one caller."""
    return Random(caller)  # noqa: S311 - nothing secret


@pytest.fixture
async def pods() -> list[Pod]:
    """Many that offer `rapid`, all with four free slots."""
    channel = grpc.aio.insecure_channel("127.0.0.1:1")  # never connected
    made = [
        Pod(Address(f"10.0.{number >> 8}.{number & 255}", 50051, "ocr"), channel) for number in range(MANY)
    ]
    for pod in made:
        pod.described(description("rapid", 4, ocr_pb2.ENGINE_STATE_READY))
    return made


async def test_callers_who_hear_the_same_go_elsewhere(pods: list[Pod]) -> None:
    """One pod has said that it is emptier: few of a hundred callers go there, and no pod gets many."""
    pods[7].described(description("rapid", 5, ocr_pb2.ENGINE_STATE_READY))
    asked = Counter(choose(pods, "rapid", (), drawn_by(caller)) for caller in range(100))
    assert max(asked.values()) <= 6
    assert len(asked) > 60


async def test_few_are_all_compared(pods: list[Pod]) -> None:
    """The emptiest of as many as are few, by everybody."""
    pods[7].described(description("rapid", 5, ocr_pb2.ENGINE_STATE_READY))
    assert {choose(pods[:FEW], "rapid", (), drawn_by(caller)) for caller in range(100)} == {pods[7]}


async def test_of_those_drawn_the_least_busy_is_asked(pods: list[Pod]) -> None:
    """Half of them have pages of this caller: one of those is chosen only where all three drawn are such."""
    for pod in pods[::2]:
        pod.outstanding = 1
    busy = sum(bool(choose(pods, "rapid", (), drawn_by(seed)).outstanding) for seed in range(400))  # type: ignore[union-attr]
    assert 400 / 8 / 2 < busy < 400 / 8 * 2


async def test_a_model_few_offer_is_found(pods: list[Pod]) -> None:
    """Two of all; the emptier one."""
    pods[3].described(description("deepseek-ocr", 1, ocr_pb2.ENGINE_STATE_READY))
    pods[200].described(description("deepseek-ocr", 2, ocr_pb2.ENGINE_STATE_READY))
    assert {choose(pods, "deepseek-ocr", (), drawn_by(seed)) for seed in range(50)} == {pods[200]}
    assert choose(pods, "deepseek-ocr", [pods[200]], drawn_by(0)) is pods[3]


async def test_those_that_cannot_are_left_out(pods: list[Pod]) -> None:
    """Gone, full, draining, tried: who is left is asked, and somebody always is."""
    for number, pod in enumerate(pods[:-5]):
        (pod.unreachable, lambda pod=pod: pod.refused((), 60.0), pod.not_ready)[number % 3]()
    assert {choose(pods, "rapid", (), drawn_by(seed)) for seed in range(50)} <= set(pods[-5:])
    assert choose(pods, "rapid", pods[-5:], drawn_by(0)) in pods[:-5]
    assert choose(pods, "rapid", pods, drawn_by(0)) is None
