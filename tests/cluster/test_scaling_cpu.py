"""An autoscaler by CPU adds a pod under load and takes it away again; nobody is refused."""

from collections.abc import Callable

import pytest

from tests.cluster.kubectl import Cluster, until
from tests.cluster.load import Wish, calling
from tests.cluster.release import NAME, Images, Release
from tests.cluster.scaling import Scaled, need, said

_METRICS = "v1beta1.metrics.k8s.io"
_CALLERS, _FEWER, _REST_S = 3, 1, 10
_MORE = 5
_SEEN_S = 300


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None) -> Release:
    """Gateways and pods of one engine, one or two of each by their CPU."""
    need(cluster, _METRICS, "metrics API")
    release = Release(cluster, images, "cpu", ["small", "stateless", "by-cpu"])
    release.upgrade()
    return release


def until_active(cluster: Cluster, name: str) -> None:
    """Until the autoscaler says that it knows what it has to."""

    def look() -> bool:
        return said(cluster.get("hpa", name), "ScalingActive")[0] == "True"

    until(look, f"ScalingActive of {name}", _SEEN_S)


def test_load_brings_a_second_pod_and_its_end_takes_it_away(
    cluster: Cluster, images: Images, release: Release, show: Callable[[object], None]
) -> None:
    """Of the engine: 1, 2, 1, and 0 failed requests through it all. Gateways have figures to follow."""
    engine = Scaled(cluster, f"{NAME}-ocr-cpu")
    for name in (engine.name, f"{NAME}-gateway"):
        until_active(cluster, name)
    engine.until_wanted(1)
    gateway, image = f"{NAME}-gateway", images.name("gateway")
    with calling(cluster, image, gateway, Wish("pictures", _CALLERS)) as load:
        engine.until_ready(2)
        until_active(cluster, engine.name)
        load.more(_MORE)
        load.end()
        many = load.said()
    show(many)
    with calling(cluster, image, gateway, Wish("pictures", _FEWER, rest_s=_REST_S)) as load:
        engine.until_wanted(1)
        load.more(_MORE)
        load.end()
        few = load.said()
    show(few)
    assert many.lost + few.lost == []
