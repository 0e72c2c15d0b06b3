"""A KEDA ScaledObject: who decides how many pods there are, when the spec asks for that."""

from pecia_operator.desired.workload import metadata
from pecia_operator.model import Model, Object
from pecia_operator.names import object_name
from pecia_operator.spec import InFlightTrigger, QueueTrigger, Scaling

_POLLING_S = 15
# Pages that wait or are being read, in the very words of the chart (`pecia.pagesQuery`), as a test sees to:
# whatever scales by pages, scales by the same ones. Counted while they are read, too, so that no pod is taken
# away in the middle of the last of them.
PAGES_QUERY = (
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM pecia.page_ready LIMIT 100000) AS ready)"
    " + (SELECT count(*) FROM pecia.page WHERE due IS NOT NULL)"
)


def scaled_object(model: Model, scaling: Scaling) -> Object:
    """KEDA's part: a HorizontalPodAutoscaler, and waking from zero."""
    triggers = []
    if scaling.queue:
        triggers.append(_queue(scaling.queue))
    if scaling.in_flight:
        triggers.append(_in_flight(model, scaling.in_flight))
    delay = scaling.scale_down_delay_seconds
    # KEDA's own wait is for the last pod, the autoscaler's for all others; it warns where the last one stays.
    waking = {"pollingInterval": _POLLING_S, "cooldownPeriod": delay} if scaling.min_replicas == 0 else {}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(model, object_name(model.name)),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": object_name(model.name),
            },
            "minReplicaCount": scaling.min_replicas,
            "maxReplicaCount": scaling.max_replicas,
            **waking,
            "advanced": {
                "horizontalPodAutoscalerConfig": {
                    "behavior": {"scaleDown": {"stabilizationWindowSeconds": min(delay, 3600)}}
                }
            },
            "triggers": triggers,
        },
    }


def _queue(trigger: QueueTrigger) -> Object:
    return {
        "type": "postgresql",
        "metadata": {
            "query": PAGES_QUERY,
            "targetQueryValue": str(trigger.pages_per_replica),
            "activationTargetQueryValue": "0",
        },
        "authenticationRef": {"name": trigger.authentication_ref},
    }


def _in_flight(model: Model, trigger: InFlightTrigger) -> Object:
    """Seconds of reading per second are the mean number of pages in hand (Little's law)."""
    pods = f'pod=~"{object_name(model.name)}-.*",namespace="{model.namespace}"'
    default = f'sum(rate(ocr_processing_seconds_sum{{service="ocr",{pods}}}[2m]))'
    return {
        "type": "prometheus",
        "metadata": {
            "serverAddress": trigger.server_address,
            "query": trigger.query or default,
            "threshold": str(trigger.pages_per_replica),
        },
    }
