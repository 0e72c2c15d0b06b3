"""What a process says about itself: JSON log lines with a request id, and Prometheus metrics.

No document text, file names or keys go in here: logs are read by people who may not see documents.
"""

from pecia_core.telemetry.events import memory_usage_event, processing_time_event
from pecia_core.telemetry.logs import configure_logging
from pecia_core.telemetry.memory import resident_bytes
from pecia_core.telemetry.metrics import RequestMetrics
from pecia_core.telemetry.requests import new_request_id, request_id
from pecia_core.telemetry.walls import show_walls

__all__ = [
    "RequestMetrics",
    "configure_logging",
    "memory_usage_event",
    "new_request_id",
    "processing_time_event",
    "request_id",
    "resident_bytes",
    "show_walls",
]
