"""The kinds of objects the operator reads and writes, and where the API server has them."""

from lightkube.generic_resource import GenericNamespacedResource, create_namespaced_resource

from pecia_operator.names import GROUP, KIND, PLURAL, VERSION

Kind = type[GenericNamespacedResource]

OCR_MODEL: Kind = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
CONFIG_MAP: Kind = create_namespaced_resource("", "v1", "ConfigMap", "configmaps")
SERVICE: Kind = create_namespaced_resource("", "v1", "Service", "services")
POD: Kind = create_namespaced_resource("", "v1", "Pod", "pods")
CLAIM: Kind = create_namespaced_resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
EVENT: Kind = create_namespaced_resource("", "v1", "Event", "events")
DEPLOYMENT: Kind = create_namespaced_resource("apps", "v1", "Deployment", "deployments")
RECORD: Kind = create_namespaced_resource("apps", "v1", "ControllerRevision", "controllerrevisions")
JOB: Kind = create_namespaced_resource("batch", "v1", "Job", "jobs")
BUDGET: Kind = create_namespaced_resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
LEASE: Kind = create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")
SCALED_OBJECT: Kind = create_namespaced_resource("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects")

_ALL = (
    OCR_MODEL,
    CONFIG_MAP,
    SERVICE,
    POD,
    CLAIM,
    EVENT,
    DEPLOYMENT,
    RECORD,
    JOB,
    BUDGET,
    LEASE,
    SCALED_OBJECT,
)
BY_NAME = {kind._api_info.resource.kind: kind for kind in _ALL}  # noqa: SLF001  the library's one place for it
