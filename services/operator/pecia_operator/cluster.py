"""The API server, in the operator's words: what is not there is None, and errors are the house's."""

import json
from collections.abc import AsyncIterable, Awaitable, Mapping
from typing import Any

import httpx2
from lightkube import ApiError, AsyncClient, ConfigError
from lightkube.config.kubeconfig import KubeConfig
from lightkube.types import CascadeType
from pecia_core.errors import InvalidRequest, PeciaError, PermissionDenied, Unavailable
from yaml import YAMLError

from pecia_operator.kinds import BY_NAME, Kind
from pecia_operator.model import Object
from pecia_operator.names import FIELD_MANAGER

_TIMEOUT_S = 15.0
_LONGEST_WORDS = 1000
_NOT_THERE, _CONFLICT = 404, 409
_REFUSED = frozenset({400, 413, 415, 422})
_FORBIDDEN = frozenset({401, 403})
# What reading a kubeconfig ends in where it is none: its reader takes its shape for granted.
_NO_CONFIG = (ConfigError, OSError, LookupError, ValueError, TypeError, AttributeError, YAMLError)


class Cluster:
    """One namespace of a cluster.

    Every call raises:
        Unavailable: the API server does not answer, is overloaded, or somebody was faster; try again.
        PermissionDenied: the operator's Role, or a quota, does not allow it.
        InvalidRequest: the API server refuses what was sent.
    """

    def __init__(self, client: AsyncClient, namespace: str) -> None:
        """Nothing is asked yet."""
        self._client: Any = client  # its types are for typed objects; here an object is what JSON says
        self._space = {"namespace": namespace}

    async def get(self, kind: Kind, name: str) -> Object | None:
        """One object."""
        return await _answer(self._client.get(kind, name, **self._space), _NOT_THERE)

    async def list(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[Object] | None:
        """All objects with these labels; None = the cluster does not know the kind."""
        found = self._client.list(kind, labels=dict(labels) if labels else None, **self._space)
        listed = await _answer(_collected(found), _NOT_THERE)
        return listed["items"] if listed else None

    async def apply(self, manifest: Object) -> Object | None:
        """Make these fields ours and what they say, whoever owned them; None = the kind is not known."""
        return await _answer(self._apply(BY_NAME[manifest["kind"]].from_dict(manifest)), _NOT_THERE)

    async def apply_status(self, manifest: Object) -> None:
        """The same with an object's `status`. An object that is gone needs none."""
        await _answer(self._apply(BY_NAME[manifest["kind"]].Status.from_dict(manifest)), _NOT_THERE)

    def _apply(self, thing: Mapping[str, Any]) -> Awaitable[Mapping[str, Any]]:
        applied: Awaitable[Mapping[str, Any]] = self._client.apply(
            thing, thing["metadata"]["name"], field_manager=FIELD_MANAGER, force=True, **self._space
        )
        return applied

    async def create(self, manifest: Object) -> Object | None:
        """Make a new object; None = somebody else has just made it."""
        made = self._client.create(BY_NAME[manifest["kind"]].from_dict(manifest), **self._space)
        return await _answer(made, _CONFLICT)

    async def replace(self, read: Object) -> Object | None:
        """Write an object back; None = it has changed, or gone, since it was read."""
        thing = BY_NAME[read["kind"]].from_dict(read)
        written = self._client.replace(thing, read["metadata"]["name"], **self._space)
        return await _answer(written, _NOT_THERE, _CONFLICT)

    async def delete(self, kind: Kind, name: str) -> None:
        """Delete an object and what it owns. One that is gone is fine."""
        gone = self._client.delete(kind, name, cascade=CascadeType.BACKGROUND, **self._space)
        await _answer(gone, _NOT_THERE)

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()


async def _collected(found: AsyncIterable[Mapping[str, Any]]) -> Object:
    return {"items": [dict(one) async for one in found]}


async def _answer(call: Awaitable[Mapping[str, Any] | None], *absent: int) -> Object | None:
    """What the API server says, in the words of the house; these statuses mean that there is nothing."""
    try:
        said = await call
    except httpx2.HTTPStatusError as error:
        status = error.response.status_code
        if status in absent:
            return None
        # For a group it does not know, the API server answers in plain text, with no Status.
        words = error.status.message if isinstance(error, ApiError) else error.response.text
        raise _error(status, str(words or "")[:_LONGEST_WORDS]) from error
    except (httpx2.HTTPError, json.JSONDecodeError, OSError) as error:
        raise Unavailable(
            f"The API server does not answer: {type(error).__name__}.", retry_after=1
        ) from error
    return dict(said) if said else None


def _error(status: int, words: str) -> PeciaError:
    if status in _REFUSED:
        return InvalidRequest(f"The API server refuses it: {words}")
    if status in _FORBIDDEN:
        return PermissionDenied(f"The API server does not allow it: {words}")
    return Unavailable(f"The API server answered with {status}: {words}", retry_after=1)


def connect(config: Mapping[str, Any] | None, namespace: str) -> Cluster:
    """A cluster by a kubeconfig's content; None = the one this process runs in, or the environment's.

    Raises:
        Unavailable: there is none, or the kubeconfig cannot be used.
    """
    try:
        known = KubeConfig.from_dict(dict(config)) if config else KubeConfig.from_env()
        client = AsyncClient(known, namespace=namespace, timeout=httpx2.Timeout(_TIMEOUT_S))
    except _NO_CONFIG as error:
        raise Unavailable(
            f"There is no cluster to work for ({error}). Run the operator in a pod with a ServiceAccount, or "
            "name a kubeconfig in KUBECONFIG."
        ) from error
    return Cluster(client, namespace)
