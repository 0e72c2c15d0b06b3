"""The kinds the fake API server knows: those of Kubernetes that matter here, KEDA's, any definition's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind.

    Attributes:
        schema: its OpenAPI schema; empty = anything goes.
        columns: what `kubectl get` shows: name, type, JSON path.
    """

    group: str
    version: str
    plural: str
    kind: str
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict, hash=False)
    columns: tuple[tuple[str, str, str], ...] = ()

    @property
    def group_version(self) -> str:
        """As `apiVersion` has it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> tuple[str, str]:
        """What finds it."""
        return (self.group, self.plural)

    @property
    def has_status(self) -> bool:
        """Whether `status` is written apart from the rest."""
        return "status" in self.subresources


def crd_resource(definition: Mapping[str, Any]) -> Resource:
    """What a CustomResourceDefinition defines; of one version."""
    spec, version = definition["spec"], definition["spec"]["versions"][0]
    names = spec["names"]
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        short=tuple(names.get("shortNames", ())),
        subresources=tuple(version.get("subresources", ())),
        schema=version["schema"]["openAPIV3Schema"],
        columns=tuple(
            (column["name"], column["type"], column["jsonPath"])
            for column in version.get("additionalPrinterColumns", ())
            if not column.get("priority")
        ),
    )


_STATUS = ("status",)
BUILT_IN = (
    Resource("", "v1", "namespaces", "Namespace"),
    Resource("", "v1", "configmaps", "ConfigMap", ("cm",)),
    Resource("", "v1", "services", "Service", ("svc",), _STATUS),
    Resource("", "v1", "pods", "Pod", ("po",), _STATUS),
    Resource("", "v1", "events", "Event", ("ev",)),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", ("pvc",), _STATUS),
    Resource("apps", "v1", "deployments", "Deployment", ("deploy",), ("status", "scale")),
    Resource("apps", "v1", "replicasets", "ReplicaSet", ("rs",), _STATUS),
    Resource("apps", "v1", "controllerrevisions", "ControllerRevision"),
    Resource("batch", "v1", "jobs", "Job", (), _STATUS),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", ("pdb",), _STATUS),
    Resource("coordination.k8s.io", "v1", "leases", "Lease"),
)
KEDA = Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject", ("so",), _STATUS)
