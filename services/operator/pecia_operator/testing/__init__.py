"""A Kubernetes API server for tests, and the parts of a cluster that act on what it holds.

`store` keeps objects as an API server does, `server` speaks its HTTP, and `controllers` play the Deployment
controller, the Job controller, the scheduler and the kubelets. It is strict where the operator could go
wrong: versions, conflicts, field ownership, schemas, rights, watches that end. No pod runs.
"""

from pecia_operator.testing.controllers import Controllers, Outcome
from pecia_operator.testing.faults import Chaos
from pecia_operator.testing.objects import ApiFailure
from pecia_operator.testing.resources import Resource, crd_resource
from pecia_operator.testing.server import Call, FakeApi
from pecia_operator.testing.store import Store

__all__ = [
    "ApiFailure",
    "Call",
    "Chaos",
    "Controllers",
    "FakeApi",
    "Outcome",
    "Resource",
    "Store",
    "crd_resource",
]
