"""What the tests of the page share."""

from collections.abc import Iterator

import pytest
from pecia_ui.testing import StandIn, stand_in


@pytest.fixture
def gateway() -> Iterator[StandIn]:
    """A gateway that answers as told."""
    with stand_in() as running:
        yield running
