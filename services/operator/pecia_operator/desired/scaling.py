"""A KEDA ScaledObject: who decides how many pods there are, when the spec asks for that."""

from pecia_operator.desired.workload import metadata
from pecia_operator.model import Model, Object
from pecia_operator.names import object_name
from pecia_operator.spec import InFlightTrigger, QueueTrigger, Scaling

_POLLING_S = 15
# A page has a row in this table exactly while it is ready to be read (pecia_jobs.schema).
_WAITING_PAGES = "SELECT count(*) FROM pecia.page_ready"


def scaled_object(model: Model, scaling: Scaling) -> Object:
    """KEDA's part: a HorizontalPodAutoscaler, and waking from zero."""
    triggers = []
    if scaling.queue:
        triggers.append(_queue(scaling.queue))
    if scaling.in_flight:
        triggers.append(_in_flight(model, scaling.in_flight))
    delay = scaling.scale_down_delay_seconds
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
            "pollingInterval": _POLLING_S,
            # KEDA's own wait is for the last pod, the autoscaler's for all others.
            "cooldownPeriod": delay,
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
            "query": _WAITING_PAGES,
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
