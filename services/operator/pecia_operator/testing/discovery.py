"""What clients ask an API server before anything else: its version, its kinds, their schemas."""

from collections.abc import Iterable
from typing import Any

from pecia_operator.testing.resources import Resource

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def answer(path: str, resources: Iterable[Resource]) -> dict[str, Any] | None:
    """The answer to a question about the server itself; None = it is about objects."""
    known = list(resources)
    match path.strip("/").split("/"):
        case ["version"]:
            return {"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            groups = sorted({(one.group, one.version) for one in known if one.group})
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*one) for one in groups]}
        case ["api", "v1"]:
            return _kinds("", "v1", known)
        case ["apis", group, version]:
            return _kinds(group, version, known)
        case ["apis", group]:
            return next((_group(one.group, one.version) for one in known if one.group == group), None)
        case ["openapi", "v3"]:
            return {
                "paths": {
                    _schema_path(one): {"serverRelativeURL": f"/openapi/v3/{_schema_path(one)}"}
                    for one in known
                }
            }
        case ["openapi", "v3", *rest]:
            return _schemas("/".join(rest), known)
    return None


def _schema_path(resource: Resource) -> str:
    return f"apis/{resource.group_version}" if resource.group else "api/v1"


def _group(group: str, version: str) -> dict[str, Any]:
    preferred = {"groupVersion": f"{group}/{version}", "version": version}
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": group,
        "versions": [preferred],
        "preferredVersion": preferred,
    }


def _kinds(group: str, version: str, known: Iterable[Resource]) -> dict[str, Any]:
    own = [one for one in known if (one.group, one.version) == (group, version)]
    kinds: list[dict[str, Any]] = []
    for one in own:
        about = {"kind": one.kind, "namespaced": one.plural != "namespaces"}
        names = {"name": one.plural, "singularName": one.kind.lower(), "shortNames": list(one.short)}
        kinds.append({**about, **names, "verbs": _VERBS})
        kinds += [
            {**about, "name": f"{one.plural}/{name}", "singularName": "", "verbs": ["get", "patch", "update"]}
            for name in one.subresources
        ]
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": kinds}


def _schemas(path: str, known: Iterable[Resource]) -> dict[str, Any]:
    """OpenAPI v3 of one group and version, as `kubectl explain` reads it."""
    schemas, paths = {}, {}
    for one in known:
        if _schema_path(one) != path:
            continue
        kind = {"group": one.group, "version": one.version, "kind": one.kind}
        name = f"{'.'.join(reversed(one.group.split('.')))}.{one.version}.{one.kind}"
        schemas[name] = {**(one.schema or {"type": "object"}), "x-kubernetes-group-version-kind": [kind]}
        address = f"/{path}/namespaces/{{namespace}}/{one.plural}"
        paths[address] = {"get": {"x-kubernetes-action": "list", "x-kubernetes-group-version-kind": kind}}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.34.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }
