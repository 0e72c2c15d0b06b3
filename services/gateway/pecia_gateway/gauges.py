"""What Prometheus is told of the fleet: the probes' answers as numbers, for alerts and dashboards."""

from pecia_dispatch import Fleet
from prometheus_client import CollectorRegistry, Gauge

from pecia_gateway.inventory import is_ready, status_of


class FleetGauges:
    """The fleet as this gateway sees it, at the moment it is asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the series."""
        self._ready = Gauge("pecia_ready", "1 = some engine can answer, as /ready says.", registry=registry)
        self._healthy = Gauge("pecia_healthy", "1 = /health says healthy.", registry=registry)
        self._pods = Gauge("pecia_fleet_pods", "Pods of the ocr service that answer.", registry=registry)
        self._slots = Gauge("pecia_fleet_free_slots", "Pages that could start at once.", registry=registry)
        self._running = Gauge("pecia_fleet_running", "Pages being read.", registry=registry)
        self._queue = Gauge("pecia_fleet_queue_length", "Pages waiting in the pods.", registry=registry)

    def show(self, fleet: Fleet) -> None:
        """Take these numbers."""
        self._ready.set(is_ready(fleet))
        self._healthy.set(status_of(fleet) == "healthy")
        self._pods.set(fleet.pods)
        self._slots.set(fleet.free_slots)
        self._running.set(fleet.running)
        self._queue.set(fleet.queue_length)
