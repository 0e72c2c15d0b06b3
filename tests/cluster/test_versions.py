"""Two releases side by side, on tables that the newer one has brought further: jobs are read to their end."""

from collections.abc import Callable, Iterator

import pytest

from tests.cluster import backing
from tests.cluster.kubectl import Cluster
from tests.cluster.load import Load, Wish, calling
from tests.cluster.release import NAME, Images, Release

_PODS = {"gateway": 2, "worker": 2, "ocr-cpu": 2}
_WISH = Wish("jobs", callers=2)
_JOBS = 4
_TABLES = "SELECT version_num FROM pecia.pecia_jobs_version"


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None) -> Release:
    """All of the former release, with jobs in PostgreSQL and a bucket."""
    if not images.former:
        pytest.skip("PECIA_TEST_FORMER names no tag of a former release's images.")
    backing.start(cluster)
    release = Release(cluster, images, "cpu", ["small", "external"])
    release.upgrade(f"image.tag={images.former}")
    return release


@pytest.fixture
def load(cluster: Cluster, images: Images, release: Release) -> Iterator[Load]:
    """Callers who hand in documents and wait for them."""
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", _WISH) as load:
        yield load


def tags(release: Release) -> dict[str, set[str]]:
    """What runs: tags of images by component, once all are ready."""
    found = {}
    for component, count in _PODS.items():
        pods = release.settled(component, count)
        found[component] = {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in pods}
    return found


def tables(cluster: Cluster) -> str:
    """The last step of the migrations that ran."""
    command = f"$(echo /usr/lib/postgresql/*/bin)/psql -h /data -U pecia -tAc '{_TABLES}'"
    return cluster("exec", "deployment/database", "--", "sh", "-c", command).strip()


def test_old_and_new_read_jobs_together(
    cluster: Cluster, images: Images, release: Release, load: Load, show: Callable[[object], None]
) -> None:
    """New gateways with old workers, then the reverse, each on the new tables, under load: no job is lost."""
    old, new = images.former, images.tag
    former_tables = tables(cluster)
    load.more(_JOBS)

    release.upgrade(f"image.tag={old}", f"gateway.image.tag={new}")
    assert tags(release) == {"gateway": {new}, "worker": {old}, "ocr-cpu": {old}}
    new_tables = tables(cluster)
    assert new_tables != former_tables, "the two releases have the same tables: nothing is shown"
    load.more(_JOBS)

    release.upgrade(f"image.tag={old}", f"worker.image.tag={new}")
    assert tags(release) == {"gateway": {old}, "worker": {new}, "ocr-cpu": {old}}
    assert tables(cluster) == new_tables
    load.more(_JOBS)

    release.upgrade()
    assert tags(release) == {"gateway": {new}, "worker": {new}, "ocr-cpu": {new}}
    load.more(_JOBS)

    release.rollback(1)
    assert tags(release) == {"gateway": {old}, "worker": {old}, "ocr-cpu": {old}}
    assert tables(cluster) == new_tables
    load.more(_JOBS)
    load.end()
    said = load.said()
    show(said)
    assert said.lost == []
