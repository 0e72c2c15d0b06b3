"""What kopf tells: that something changed. Which model that concerns is all that is taken from it."""

from collections.abc import Mapping
from typing import Any

import kopf

from pecia_operator.names import GROUP, MODEL_LABEL, PLURAL, VERSION
from pecia_operator.operator import Operator

_OWNED = (("apps", "v1", "deployments"), ("", "v1", "pods"), ("batch", "v1", "jobs"))


def build_registry(operator: Operator) -> kopf.OperatorRegistry:
    """A registry of its own for each operator, so that a process may hold several.

    Only `on.event` is used: kopf's other handlers write annotations into people's objects, and its timers and
    daemons add finalizers, with which a model could not be deleted while the operator is away.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**about: Any) -> kopf.ConnectionInfo | None:
        return (
            operator.login or kopf.login_with_service_account(**about) or kopf.login_with_kubeconfig(**about)
        )

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        _configure(settings)
        operator.start()

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await operator.stop()

    @kopf.on.probe(registry=registry, id="operator")
    async def alive(**_: Any) -> str:
        return operator.alive()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def model_changed(name: str, **_: Any) -> None:
        operator.look_at(name)

    for group, version, plural in _OWNED:

        @kopf.on.event(group, version, plural, labels={MODEL_LABEL: kopf.PRESENT}, registry=registry)
        async def owned_changed(labels: Mapping[str, str], **_: Any) -> None:
            operator.look_at(labels[MODEL_LABEL])

    return registry


def _configure(settings: kopf.OperatorSettings) -> None:
    settings.posting.enabled = False  # the operator posts its own events, of what it has decided
    settings.scanning.disabled = True  # it has no right to look at the whole cluster
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
