"""The composition root: settings in, a running operator out."""

import logging
import threading
from collections.abc import Mapping
from typing import Any

import kopf
from pecia_core.errors import NotFound

from pecia_operator.cluster import Cluster, connect
from pecia_operator.handlers import build_registry
from pecia_operator.kinds import OCR_MODEL
from pecia_operator.operator import Operator
from pecia_operator.reconcile import Reconciler
from pecia_operator.settings import Settings

_log = logging.getLogger(__name__)


async def run(
    settings: Settings, config: Mapping[str, Any] | None = None, stop: threading.Event | None = None
) -> None:
    """Until told to stop, by SIGTERM, SIGINT or `stop`.

    Args:
        settings: of this process.
        config: content of a kubeconfig; None = the cluster this runs in, or the environment's.
        stop: for those who run it in a thread.

    Raises:
        NotFound: the cluster does not know OCRModels.
        Unavailable: the cluster does not answer.
    """
    cluster = connect(config, settings.operator.namespace)
    await _check(cluster)
    operator = Operator(Reconciler(cluster, settings), _login(config))
    probe = settings.probe
    _log.info("Watching", extra={"namespace": settings.operator.namespace})
    await kopf.operator(
        registry=build_registry(operator),
        namespaces=[settings.operator.namespace],
        standalone=True,
        liveness_endpoint=f"http://{probe.host}:{probe.port}/healthz" if probe.port else None,
        stop_flag=stop,
    )


async def _check(cluster: Cluster) -> None:
    """Kopf would wait in silence for a kind that is not there."""
    if await cluster.list(OCR_MODEL) is None:
        raise NotFound(
            "The cluster knows no OCRModel. Install the chart pecia-crds, then start the operator again."
        )


def _login(config: Mapping[str, Any] | None) -> kopf.ConnectionInfo | None:
    if config is None:
        return None
    server, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]
    return kopf.ConnectionInfo(server=server, scheme="Bearer", token=token)
