"""Objects with versions, as an API server keeps them: conflicts, generations, owners, a history."""

import itertools
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jsonpatch

from pecia_operator.testing import admission, ownership
from pecia_operator.testing.copying import copied
from pecia_operator.testing.objects import (
    ApiFailure,
    has_labels,
    merged_patch,
    now,
    owned_by,
    refuse_immutable,
    spec_of,
    without,
    without_owners,
)
from pecia_operator.testing.ownership import Object, Owner
from pecia_operator.testing.resources import Resource

Key = tuple[str, str, str, str]  # group, plural, namespace, name
_FIXED = ("uid", "creationTimestamp", "name", "namespace")


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history."""

    version: int
    key: Key
    kind: str
    obj: Object


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and what of an object: all of it, or its status."""

    manager: str
    subresource: str = ""

    def owner(self, operation: str) -> Owner:
        """As managedFields names it."""
        return (self.manager, operation, self.subresource)


class Store:
    """All objects of one cluster. Every call may be made from any thread."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        """Empty."""
        self.resources = {resource.key: resource for resource in resources}
        self.lock = threading.RLock()
        self.history: list[Change] = []
        self.forgotten = 0  # changes up to this version cannot be watched any more
        self.listeners: list[Callable[[], None]] = []
        self._versions = itertools.count(100)
        self._objects: dict[Key, Object] = {}
        self.version = 100

    def get(self, plural: str, name: str, namespace: str = "default") -> Object | None:
        """One object by a plural that is known once; None = it is not there."""
        with self.lock:
            found = self._objects.get((*self._resource(plural).key, namespace, name))
            return copied(found)

    def all(self, plural: str, labels: Mapping[str, str] | None = None) -> list[Object]:
        """All objects of a kind, in every namespace."""
        with self.lock:
            key = self._resource(plural).key
            found = [
                obj for (group, name, _, _), obj in sorted(self._objects.items()) if (group, name) == key
            ]
            return [copied(obj) for obj in found if has_labels(obj, labels or {})]

    def _resource(self, plural: str) -> Resource:
        return next(resource for resource in self.resources.values() if resource.plural == plural)

    def create(self, resource: Resource, namespace: str, obj: Object, writer: Writer) -> Object:
        """POST."""
        with self.lock:
            obj = copied(obj)
            metadata = obj.setdefault("metadata", {})
            metadata.setdefault("namespace", namespace)
            if "name" not in metadata:
                metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
            key = (*resource.key, namespace, metadata["name"])
            if key in self._objects:
                raise ApiFailure(
                    409, "AlreadyExists", f'{resource.plural} "{metadata["name"]}" already exists'
                )
            return self._write_new(resource, key, obj, ownership.update({}, obj, writer.owner("Update")))

    def apply(
        self, resource: Resource, key: Key, config: Object, writer: Writer, *, force: bool = False
    ) -> Object:
        """PATCH with server-side apply."""
        with self.lock:
            live = self._objects.get(key)
            if live is None and writer.subresource:
                raise self._missing(resource, key)
            owner = writer.owner("Apply")
            if live is None:
                obj = copied(config)
                obj["metadata"] |= {"name": key[3], "namespace": key[2]}
                return self._write_new(resource, key, obj, {owner: set(ownership.owned_leaves(config))})
            config = self._part(config, writer)
            try:
                new, owners = ownership.apply(copied(live), config, owner, force=force)
            except ownership.OwnershipConflict as error:
                raise ApiFailure(409, "Conflict", f"Apply failed with 1 conflict: {error}") from error
            return self._write(resource, key, new, owners)

    def patch(self, resource: Resource, key: Key, body: Any, writer: Writer) -> Object:
        """PATCH with a merge patch (an object) or a JSON patch (a list)."""
        with self.lock:
            live = self._live(resource, key)
            if isinstance(body, list):
                try:
                    new = jsonpatch.apply_patch(live, body, in_place=False)
                except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
                    raise ApiFailure(422, "Invalid", str(error)) from error
            else:
                self._check_version(resource, key, (body.get("metadata") or {}).get("resourceVersion"), live)
                new = merged_patch(live, body)
            return self.update(resource, key, new, writer)

    def update(self, resource: Resource, key: Key, obj: Object, writer: Writer) -> Object:
        """PUT."""
        with self.lock:
            live = self._live(resource, key)
            self._check_version(resource, key, obj["metadata"].get("resourceVersion"), live)
            if writer.subresource == "status":
                new = {**live, "status": obj.get("status", {})}
            elif resource.has_status:
                new = {**obj, "status": live["status"]} if "status" in live else without(obj, "status")
            else:
                new = obj
            new = copied(new)
            return self._write(resource, key, new, ownership.update(live, new, writer.owner("Update")))

    def delete(self, resource: Resource, key: Key) -> Object:
        """DELETE, in the background as kubectl does it: what it owns goes too."""
        with self.lock:
            live = copied(self._live(resource, key))
            if live["metadata"].get("finalizers"):
                if "deletionTimestamp" not in live["metadata"]:
                    live["metadata"]["deletionTimestamp"] = now()
                    return self._keep(key, live, "MODIFIED")
                return live
            return self._remove(key)

    def collect(self) -> None:
        """Delete what belongs to something that is gone, also where it was made after that had gone."""
        with self.lock:
            there = {obj["metadata"]["uid"] for obj in self._objects.values()}
            for key, obj in list(self._objects.items()):
                owners = {owner["uid"] for owner in obj["metadata"].get("ownerReferences", ())}
                if key in self._objects and owners and not owners & there:
                    self.delete(self.resources[key[:2]], key)

    def forget(self) -> None:
        """Drop the history, as etcd's compaction does: who watches from before has to list again."""
        with self.lock:
            self.forgotten = self.version

    def _part(self, config: Object, writer: Writer) -> Object:
        """What of a configuration counts: the status, or all but that."""
        if writer.subresource:
            return {writer.subresource: config.get(writer.subresource, {})}
        return without(config, "status")

    def _write_new(
        self, resource: Resource, key: Key, obj: Object, owners: dict[Owner, set[ownership.Path]]
    ) -> Object:
        if resource.has_status:
            obj.pop("status", None)
        obj.update(apiVersion=resource.group_version, kind=resource.kind)
        self._admit(resource, obj)
        obj["metadata"].update(uid=str(uuid.uuid4()), creationTimestamp=now(), generation=1)
        ownership.write_owners(obj, owners, resource.group_version, now())
        return self._keep(key, obj, "ADDED")

    def _write(
        self, resource: Resource, key: Key, new: Object, owners: dict[Owner, set[ownership.Path]]
    ) -> Object:
        live = self._objects[key]
        self._admit(resource, new)
        for name in (*_FIXED, "deletionTimestamp", "generation", "resourceVersion"):
            new["metadata"].pop(name, None)
            if name in live["metadata"]:
                new["metadata"][name] = live["metadata"][name]
        refuse_immutable(resource, live, new)
        if spec_of(new) != spec_of(live):
            new["metadata"]["generation"] += 1
        if without_owners(new) == without_owners(live) and owners == ownership.read_owners(live):
            return copied(live)  # nothing changed: no new version, and nobody is told
        ownership.write_owners(new, owners, resource.group_version, now())
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            self._objects[key] = new
            return self._remove(key)
        return self._keep(key, new, "MODIFIED")

    def _admit(self, resource: Resource, obj: Object) -> None:
        if resource.schema:
            admission.fill_in(resource.schema, obj)
            admission.prune(resource.schema, obj)
            if wrong := admission.complaints(resource.schema, obj):
                name = obj["metadata"].get("name", "")
                raise ApiFailure(422, "Invalid", f'{resource.kind} "{name}" is invalid: {"; ".join(wrong)}')
        if resource.plural == "deployments":
            obj["spec"].setdefault("replicas", 1)

    def _keep(self, key: Key, obj: Object, change: str) -> Object:
        self.version = next(self._versions)
        obj["metadata"]["resourceVersion"] = str(self.version)
        self._objects[key] = obj
        self._tell(Change(self.version, key, change, copied(obj)))
        return copied(obj)

    def _remove(self, key: Key) -> Object:
        gone = self._objects.pop(key)
        self.version = next(self._versions)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._tell(Change(self.version, key, "DELETED", copied(gone)))
        for other in [
            other for other, obj in self._objects.items() if owned_by(obj, gone["metadata"]["uid"])
        ]:
            if other in self._objects:
                self.delete(self.resources[other[:2]], other)
        return gone

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        for listener in list(self.listeners):
            listener()

    def _live(self, resource: Resource, key: Key) -> Object:
        if key not in self._objects:
            raise self._missing(resource, key)
        return self._objects[key]

    @staticmethod
    def _missing(resource: Resource, key: Key) -> ApiFailure:
        return ApiFailure(404, "NotFound", f'{resource.plural} "{key[3]}" not found')

    @staticmethod
    def _check_version(resource: Resource, key: Key, said: str | None, live: Object) -> None:
        if said and said != live["metadata"]["resourceVersion"]:
            words = (
                f'Operation cannot be fulfilled on {resource.plural} "{key[3]}": the object has been modified'
            )
            raise ApiFailure(409, "Conflict", words)
