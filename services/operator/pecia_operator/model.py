"""An OCRModel as it was read from the cluster: its types, and what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pecia_operator.names import API_VERSION, KIND, MODEL_LABEL, RETRY_ANNOTATION, object_name
from pecia_operator.spec import ModelSpec, parse_spec

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Model:
    """One OCRModel.

    Attributes:
        retry: value of the annotation by which people ask for another try.
        status: as last written, empty at first.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    spec: ModelSpec
    retry: str = ""
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def owner(self) -> Object:
        """What makes the cluster delete an object with this model."""
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
        }

    def labels(self, component: str) -> dict[str, str]:
        """What every object of this model is labelled with."""
        return {
            MODEL_LABEL: self.name,
            "app.kubernetes.io/name": "pecia",
            "app.kubernetes.io/instance": object_name(self.name),
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "pecia",
            "app.kubernetes.io/managed-by": "pecia-operator",
        }


def parse_model(read: Mapping[str, Any]) -> Model:
    """An OCRModel from what the API server said.

    Raises:
        InvalidRequest: its spec makes no sense.
    """
    metadata = read["metadata"]
    return Model(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 1),
        spec=parse_spec(read.get("spec") or {}),
        retry=(metadata.get("annotations") or {}).get(RETRY_ANNOTATION, ""),
        status=read.get("status") or {},
    )
