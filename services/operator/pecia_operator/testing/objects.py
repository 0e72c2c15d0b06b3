"""Objects as JSON: what they have in common, how they are patched, and what nobody may change."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pecia_operator.testing.ownership import Object
from pecia_operator.testing.resources import Resource


class ApiFailure(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        """As in a `Status` object."""
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def has_labels(obj: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether an object has all of these."""
    own = obj["metadata"].get("labels") or {}
    return all(own.get(name) == value for name, value in labels.items())


def owned_by(obj: Mapping[str, Any], uid: str) -> bool:
    """Whether an object names this one as its owner."""
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences", ()))


def spec_of(obj: Mapping[str, Any]) -> Object:
    """All that counts for an object's generation."""
    return {name: value for name, value in obj.items() if name not in {"metadata", "status"}}


def without(obj: Mapping[str, Any], name: str) -> Object:
    """An object but for one field."""
    return {key: value for key, value in obj.items() if key != name}


def without_owners(obj: Mapping[str, Any]) -> Object:
    """An object but for who owns what."""
    return {**obj, "metadata": without(obj["metadata"], "managedFields")}


def merged_patch(live: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merged_patch(merged.get(name), value)
    return merged


def refuse_immutable(resource: Resource, live: Object, new: Object) -> None:
    """What Kubernetes lets nobody change."""
    fixed = {
        "jobs": ("spec", "template"),
        "configmaps": ("data",) if live.get("immutable") else (),
        "controllerrevisions": ("data",),
        "deployments": ("spec", "selector"),
    }.get(resource.plural, ())
    before, after = live, new
    for name in fixed:
        before, after = before.get(name) or {}, after.get(name) or {}
    if fixed and before != after:
        raise ApiFailure(422, "Invalid", f"{resource.kind}: {'.'.join(fixed)}: field is immutable")
