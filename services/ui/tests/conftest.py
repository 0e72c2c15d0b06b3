"""What the tests of the page share."""

from collections.abc import Iterator

import pytest
from pecia_client.testing import Asked as ClientAsked
from pecia_client.testing.jobs import ScriptedJobs
from pecia_ui.testing.gateway import Answer, Asked, StandIn, stand_in
from pecia_ui.testing.visitor import opened
from streamlit.testing.v1 import AppTest


@pytest.fixture
def gateway() -> Iterator[StandIn]:
    """A gateway that answers as told."""
    with stand_in() as running:
        yield running


@pytest.fixture
def jobs(gateway: StandIn) -> ScriptedJobs:
    """The jobs of that gateway, which go as the test says."""
    scripted = ScriptedJobs()

    def answer(asked: Asked) -> Answer:
        told = scripted.answer(ClientAsked(asked.method, asked.path, asked.headers, asked.body))
        return Answer(told.status, told.headers, [told.body] if told.pieces is None else told.pieces)

    gateway.jobs = answer
    return scripted


@pytest.fixture
def site(gateway: StandIn, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page as somebody sees it who just came."""
    monkeypatch.setenv("API_BASE", gateway.url)
    return opened()
