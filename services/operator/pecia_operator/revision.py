"""A revision: what the pods of a model are made of, named by its own content."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pecia_operator.model import Model, Object
from pecia_operator.names import REVISION_LABEL, SHARED_ENV_ANNOTATION, revision_name

_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """What pods are made of. Two with the same name are the same.

    Attributes:
        name: ten hexadecimal digits.
        config: settings of the ocr service, by the name of the variable.
        template: of the Deployment, with the revision in its labels.
    """

    name: str
    config: dict[str, str]
    template: Object

    def config_map(self, model: str) -> str:
        """The name of the ConfigMap with the settings."""
        return revision_name(model, self.name)


def make_revision(model: Model, config: dict[str, str], template: Object, shared_env: str) -> Revision:
    """Name what was made for a model.

    Args:
        model: whose.
        config: its settings.
        template: its pods, with `REVISION` wherever the name of the revision goes.
        shared_env: says which settings all pods share; other ones make another revision.
    """
    said = json.dumps([config, template, shared_env, model.retry], sort_keys=True)
    name = sha256(said.encode()).hexdigest()[:_DIGITS]
    placed = json.loads(json.dumps(template).replace(PLACEHOLDER, name))
    placed["metadata"]["labels"][REVISION_LABEL] = name
    if shared_env:
        placed["metadata"]["annotations"] = {SHARED_ENV_ANNOTATION: shared_env}
    return Revision(name, config, placed)


# Stands for the name of a revision while that is not known yet.
PLACEHOLDER = "{revision}"


def read_revision(recorded: Mapping[str, Any]) -> Revision:
    """A revision from its ControllerRevision."""
    data = recorded["data"]
    return Revision(recorded["metadata"]["labels"][REVISION_LABEL], data["config"], data["template"])
