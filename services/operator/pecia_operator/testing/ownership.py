"""Who owns which fields: server-side apply as Kubernetes has it, with `managedFields` in FieldsV1.

A path is a tuple of elements such as `f:spec` and `k:{"name":"ocr"}`. A field is owned by whoever set it
last; several who set it to the same value own it together.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pecia_operator.testing.copying import copied

Object = dict[str, Any]
Path = tuple[str, ...]
Owner = tuple[str, str, str]  # manager, Apply or Update, subresource

# Lists whose entries are told apart by these of their fields; all others are owned as a whole.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "finalizers": (),
}
_UNOWNED = {("f:apiVersion",), ("f:kind",)}
_UNOWNED_METADATA = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
}


def _keys(name: str, entries: list[Any]) -> tuple[str, ...]:
    if name == "ports" and entries and isinstance(entries[0], dict):
        return ("containerPort", "protocol") if "containerPort" in entries[0] else ("port", "protocol")
    return _KEYS.get(name, ())


def _is_keyed(name: str, value: Any) -> bool:
    keys = _keys(name, value) if isinstance(value, list) else ()
    return bool(keys) and all(isinstance(entry, dict) and keys[0] in entry for entry in value)


def _entry(name: str, entries: list[Any], entry: Mapping[str, Any]) -> str:
    keys = _keys(name, entries)
    return "k:" + json.dumps({key: entry[key] for key in keys if key in entry}, separators=(",", ":"))


def leaves(value: Any, name: str = "", path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything that is set, by its path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, key, (*path, f"f:{key}"))
    elif isinstance(value, list) and value and _is_keyed(name, value):
        for entry in value:
            yield from leaves(entry, "", (*path, _entry(name, value, entry)))
    else:
        yield path, value


def owned_leaves(obj: Mapping[str, Any]) -> dict[Path, Any]:
    """What somebody can own, by its path."""
    return {
        path: value
        for path, value in leaves(dict(obj))
        if path
        and path not in _UNOWNED
        and not (path[0] == "f:metadata" and len(path) > 1 and path[1][2:] in _UNOWNED_METADATA)
        and path != ("f:metadata",)
    }


_NOTHING = object()


def find(obj: Any, path: Path) -> Any:
    """What is at a path, or a value that equals nothing else."""
    for number, element in enumerate(path):
        if element.startswith("f:"):
            if not isinstance(obj, dict) or element[2:] not in obj:
                return _NOTHING
            obj = obj[element[2:]]
        else:
            entry = _find_entry(obj, path[number - 1][2:], element)
            if entry is None:
                return _NOTHING
            obj = entry
    return obj


def _find_entry(entries: Any, name: str, element: str) -> Any:
    if not isinstance(entries, list):
        return None
    return next(
        (entry for entry in entries if isinstance(entry, dict) and _entry(name, entries, entry) == element),
        None,
    )


def remove(obj: Object, path: Path) -> None:
    """Take away what is at a path, and what is empty above it."""
    if len(path) == 0:
        return
    parent = find(obj, path[:-1])
    last = path[-1]
    if isinstance(parent, dict) and last.startswith("f:"):
        parent.pop(last[2:], None)
    elif isinstance(parent, list):
        entry = _find_entry(parent, path[-2][2:], last)
        if entry is not None:
            parent.remove(entry)
    rest = find(obj, path[:-1])
    keys_only = len(path) > 1 and path[-2].startswith("k:") and isinstance(rest, dict)
    if len(path) > 2 and (rest in ({}, []) or (keys_only and set(rest) <= set(json.loads(path[-2][2:])))):
        remove(obj, path[:-1])


def merge(live: Any, config: Any, name: str = "") -> Any:
    """What was applied, over what is there."""
    if isinstance(live, dict) and isinstance(config, dict):
        merged = dict(live)
        for key, value in config.items():
            merged[key] = merge(live[key], value, key) if key in live else copied(value)
        return merged
    if isinstance(live, list) and isinstance(config, list) and _is_keyed(name, config):
        merged_list = [copied(entry) for entry in live]
        for entry in config:
            element = _entry(name, config, entry)
            found = _find_entry(merged_list, name, element)
            if found is None:
                merged_list.append(copied(entry))
            else:
                merged_list[merged_list.index(found)] = merge(found, entry)
        return merged_list
    return copied(config)


def read_owners(obj: Mapping[str, Any]) -> dict[Owner, set[Path]]:
    """The managers of an object and their fields."""
    entries = (obj.get("metadata") or {}).get("managedFields") or []
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): set(_paths(entry["fieldsV1"]))
        for entry in entries
    }


def _paths(fields: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    for element, inner in fields.items():
        if inner:
            yield from _paths(inner, (*path, element))
        else:
            yield (*path, element)


def write_owners(obj: Object, owners: Mapping[Owner, set[Path]], api_version: str, time: str) -> None:
    """Put the managers into an object."""
    entries = []
    for (manager, operation, subresource), paths in sorted(owners.items()):
        if not paths:
            continue
        fields: Object = {}
        for path in sorted(paths):
            place = fields
            for element in path:
                place = place.setdefault(element, {})
        entry = {
            "manager": manager,
            "operation": operation,
            "apiVersion": api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        entries.append(entry | ({"subresource": subresource} if subresource else {}))
    obj["metadata"]["managedFields"] = entries


def _differing(live: Object, said: Mapping[Path, Any]) -> set[Path]:
    """Where something else is there than what is said."""
    there = owned_leaves(live)
    return {
        path for path, value in said.items() if (there[path] if path in there else find(live, path)) != value
    }


class OwnershipConflict(Exception):
    """Somebody else owns a field, and says something else there."""


def apply(
    live: Object, config: Object, owner: Owner, *, force: bool
) -> tuple[Object, dict[Owner, set[Path]]]:
    """Server-side apply.

    Returns:
        The object, and who owns what from now on.

    Raises:
        OwnershipConflict: without force, when a field would change that another manager owns.
    """
    owners = read_owners(live)
    said = owned_leaves(config)
    wanted, taken = set(said), _differing(live, said)
    for other, paths in owners.items():
        disputed = paths & taken
        if other == owner or not disputed:
            continue
        if not force:
            names = ", ".join(sorted(".".join(part[2:] for part in path) for path in disputed))
            raise OwnershipConflict(f'conflict with "{other[0]}": {names}')
        paths.difference_update(disputed)
    merged = merge(live, config)
    others = set().union(*(paths for other, paths in owners.items() if other != owner))
    for path in sorted(owners.get(owner, set()) - wanted - others, key=len, reverse=True):
        if not _is_above(path, wanted | others):
            remove(merged, _whole(path, wanted | others))
    owners[owner] = wanted
    return merged, owners


def _is_above(path: Path, kept: set[Path]) -> bool:
    return any(inner[: len(path)] == path for inner in kept)


def _whole(path: Path, kept: set[Path]) -> Path:
    """The entry of a list that a path is in, if nothing of that entry is kept; else the path."""
    entries = (path[:number] for number in range(1, len(path)) if path[number - 1].startswith("k:"))
    return next((entry for entry in entries if not _is_above(entry, kept)), path)


def update(live: Object, new: Object, owner: Owner) -> dict[Owner, set[Path]]:
    """Who owns what after a plain write: what it changed is the writer's, what it removed is nobody's."""
    owners = read_owners(live)
    said = owned_leaves(new)
    after, changed = set(said), _differing(live, said)
    gone = set(owned_leaves(live)) - after
    for other, paths in owners.items():
        paths.difference_update(gone)
        if other != owner:
            paths.difference_update(changed)
    owners[owner] = (owners.get(owner, set()) | changed) & after
    return owners
