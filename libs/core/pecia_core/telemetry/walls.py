"""The walls around processes that open strangers' files, as Prometheus metrics: alerts read no /health."""

from pecia_wall import Walls
from prometheus_client import CollectorRegistry, Gauge


def show_walls(registry: CollectorRegistry, service: str, walls: Walls) -> None:
    """Register `pecia_wall_held`, `pecia_wall_landlock_version` and `pecia_wall_missing`.

    They do not change while a process runs: a kernel is asked once.
    """
    held = Gauge(
        "pecia_wall_held",
        "1 = the kernel holds this wall. wall: landlock, seccomp, no_new_privs.",
        ("service", "wall"),
        registry=registry,
    )
    bearing = walls.bearing
    held.labels(service, "landlock").set(bearing.landlock > 0)
    held.labels(service, "seccomp").set(bearing.seccomp)
    held.labels(service, "no_new_privs").set(bearing.no_new_privs)
    version = Gauge(
        "pecia_wall_landlock_version", "Of the kernel; 0 = none.", ("service",), registry=registry
    )
    version.labels(service).set(bearing.landlock)
    missing = Gauge(
        "pecia_wall_missing",
        "Parts of the walls that this kernel does not hold; the log and /health name them.",
        ("service",),
        registry=registry,
    )
    missing.labels(service).set(len(bearing.missing))
