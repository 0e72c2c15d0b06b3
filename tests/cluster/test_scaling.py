"""KEDA brings workers and an engine from none and back; no document is lost, PostgreSQL gone or not."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.cluster import backing
from tests.cluster.kubectl import Cluster, Thing
from tests.cluster.load import Load, Wish, calling
from tests.cluster.release import NAME, Images, Release
from tests.cluster.scaling import Scaled, need_keda, ready_since

_MOST = 3
_CALLERS = 6
_LATER_S = 90
_AWAY_S = 120
Calls = Callable[..., AbstractContextManager[Load]]


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None) -> Release:
    """Workers and one engine of none to some, by the pages that wait in PostgreSQL."""
    need_keda(cluster)
    backing.start(cluster)
    release = Release(cluster, images, "cpu", ["small", "external", "scaled"])
    release.upgrade()
    return release


@pytest.fixture(scope="module")
def worker(cluster: Cluster, release: Release) -> Scaled:
    """The workers."""
    return Scaled(cluster, f"{NAME}-worker")


@pytest.fixture(scope="module")
def engine(cluster: Cluster, release: Release) -> Scaled:
    """The engine."""
    return Scaled(cluster, f"{NAME}-ocr-cpu")


@pytest.fixture
def asleep(worker: Scaled, engine: Scaled) -> None:
    """Nothing waits, KEDA has no complaint, and there is no pod of either."""
    for one in (worker, engine):
        one.until_said("Ready", "True")
        one.until_said("Active", "False")
        one.until_none()


@pytest.fixture
def calls(cluster: Cluster, images: Images, release: Release) -> Calls:
    """Begins a block with so many callers who hand in documents of three pages and wait for them."""

    def begin(callers: int, later_s: int = 0) -> AbstractContextManager[Load]:
        wish = Wish("jobs", callers, later_s=later_s)
        return calling(cluster, images.name("gateway"), f"{NAME}-gateway", wish)

    return begin


def of(release: Release) -> dict[str, tuple[str, int]]:
    """Pods of workers and engine by their uid: name, and how often a container of it was started again."""
    pods: list[Thing] = [*release.pods("worker"), *release.pods("ocr-cpu")]
    return {
        pod["metadata"]["uid"]: (
            pod["metadata"]["name"],
            sum(one["restartCount"] for one in pod["status"].get("containerStatuses", [])),
        )
        for pod in pods
    }


def all_were_read(load: Load, show: Callable[[object], None]) -> None:
    """Callers end, and each document came to its last page."""
    load.end()
    said = load.said()
    show(said)
    assert said.lost == []
    assert said.read


def test_documents_wake_workers_and_engines(
    asleep: None, release: Release, engine: Scaled, calls: Calls, show: Callable[[object], None]
) -> None:
    """From no pod at all to the first document; more pages than one pod is meant for make more pods."""
    with calls(_CALLERS) as load:
        said = load.said()
        assert said.lost == []
        worker, pod = (ready_since(release.pods(name)) - said.began for name in ("worker", "ocr-cpu"))
        show(f"worker ready after {worker:.0f} s, engine {pod:.0f} s, first document {said.read[0]:.0f} s")
        engine.until_ready(_MOST)
        load.more(2)
        all_were_read(load, show)


def test_going_back_loses_nothing(
    worker: Scaled, engine: Scaled, calls: Calls, show: Callable[[object], None]
) -> None:
    """Fewer pages: pods go while the others read, down to one; nothing at all: down to none."""
    with calls(1) as few:
        with calls(_CALLERS) as many:
            engine.until_ready(2)
            all_were_read(many, show)
        engine.until_wanted(1)
        few.more(2)
        all_were_read(few, show)
    ended = time.monotonic()
    for one in (worker, engine):
        one.until_none()
    show(f"no pod {time.monotonic() - ended:.0f} s after the last page")


def test_a_job_for_later_wakes_a_worker(
    asleep: None, release: Release, worker: Scaled, calls: Calls, show: Callable[[object], None]
) -> None:
    """While its time has not come it is no reason to be awake; then it is, though no page waits anywhere."""
    with calls(1, later_s=_LATER_S) as load:
        said = load.said()
        assert said.lost == []
        woke = ready_since(release.pods("worker")) - said.began
        show(f"begins after {_LATER_S} s, worker ready after {woke:.0f} s")
        assert said.read[0] > woke > _LATER_S
        all_were_read(load, show)


def test_without_postgresql_pods_stay(
    cluster: Cluster,
    release: Release,
    engine: Scaled,
    calls: Calls,
    show: Callable[[object], None],
) -> None:
    """KEDA that gets no answer keeps the number; whoever reads goes on when the database is back.

    An outage counts as time in which nothing was due: the usual cooldown bears two minutes of it.
    """
    release.upgrade(*(f"{whose}.cooldownSeconds=600" for whose in ("worker.autoscaling", "ocr.engines[0]")))
    with calls(_CALLERS) as load:
        engine.until_ready(2)
        before = of(release)
        backing.take_database_away(cluster)
        time.sleep(_AWAY_S)
        complaint = engine.until_follows("False")
        assert before.items() <= of(release).items()
        backing.bring_database_back(cluster)
        show(f"away for {_AWAY_S} s: {complaint}")
        engine.until_follows("True")
        load.more(2)
        assert before.keys() & of(release).keys()
        all_were_read(load, show)
