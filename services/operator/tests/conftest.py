"""A fake API server with the definition that is shipped, and the rest of a cluster played."""

import socket
from collections.abc import Iterator

import pytest
from pecia_operator.testing import Controllers, FakeApi, crd_resource
from pecia_operator.testing.resources import KEDA
from pecia_operator.testing.scene import RULES, Cluster, definition


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API server that allows what the operator's Role allows."""
    with FakeApi([crd_resource(definition()), KEDA], rules=RULES) as api:
        yield api


@pytest.fixture
def cluster(api: FakeApi) -> Iterator[Cluster]:
    """The whole of it; operators are stopped in the end."""
    with Controllers(api.store) as controllers:
        cluster = Cluster(api, controllers)
        yield cluster
        for operator in cluster.operators:
            api.cut.discard(operator.user)
            operator.stop()
    assert controllers.errors == []


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
