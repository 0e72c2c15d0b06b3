"""What the tests of the page share."""

from collections.abc import Iterator

import pytest
from pecia_ui.testing.gateway import StandIn, stand_in
from pecia_ui.testing.visitor import opened
from streamlit.testing.v1 import AppTest


@pytest.fixture
def gateway() -> Iterator[StandIn]:
    """A gateway that answers as told."""
    with stand_in() as running:
        yield running


@pytest.fixture
def site(gateway: StandIn, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page as somebody sees it who just came."""
    monkeypatch.setenv("API_BASE", gateway.url)
    return opened()
