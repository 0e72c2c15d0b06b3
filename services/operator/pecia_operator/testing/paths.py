"""The addresses of the API: /apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME/SUBRESOURCE."""

from collections.abc import Mapping
from dataclasses import dataclass

from pecia_operator.testing.objects import ApiFailure
from pecia_operator.testing.resources import Resource
from pecia_operator.testing.store import Key


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; empty = all of them."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        """Where the store has it."""
        return (*self.resource.key, self.namespace, self.name)


def parse_path(path: str, resources: Mapping[tuple[str, str], Resource]) -> Target:
    """What an address means.

    Raises:
        ApiFailure: there is no such kind, in the API server's words.
    """
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    resource = resources.get((group, rest[0])) if rest else None
    if resource is None:
        raise ApiFailure(404, "NotFound", "the server could not find the requested resource")
    name, subresource = (*rest[1:3], "", "")[:2]
    return Target(resource, namespace, name, subresource)
