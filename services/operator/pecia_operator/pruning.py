"""Deleting what belonged to revisions and weights that nothing needs any more."""

import json
from collections.abc import Iterable

from pecia_operator.cluster import Cluster
from pecia_operator.desired.checkpoint import claim_key, weights_key
from pecia_operator.kinds import CLAIM, CONFIG_MAP, JOB, RECORD, Kind
from pecia_operator.model import Object
from pecia_operator.names import MODEL_LABEL, weights_name
from pecia_operator.observed import Observed, is_leaving, ready_pods, revision_of
from pecia_operator.rollout import Plan


async def prune(cluster: Cluster, seen: Observed, decided: Plan, history: int) -> None:
    """Keep what runs, what served, what is asked for, and the newest of the rest.

    Args:
        cluster: where.
        seen: the model and its pods.
        decided: which revisions count.
        history: how many others are kept, to look at.
    """
    own = {MODEL_LABEL: seen.model.name}
    needed = {decided.target.name, decided.active, *map(revision_of, ready_pods(seen.pods))}
    if decided.run:
        needed.add(decided.run.name)
    records = sorted(await cluster.list(RECORD, own) or [], key=_made, reverse=True)
    spare = [record for record in records if revision_of(record) not in needed]
    kept = needed | {revision_of(record) for record in spare[:history]}
    await _delete(cluster, RECORD, (record for record in records if revision_of(record) not in kept))
    configs = await cluster.list(CONFIG_MAP, own) or []
    await _delete(cluster, CONFIG_MAP, (config for config in configs if revision_of(config) not in kept))
    await _prune_weights(cluster, seen, [record for record in records if revision_of(record) in needed])


async def _prune_weights(cluster: Cluster, seen: Observed, records: list[Object]) -> None:
    """Jobs for other weights; and claims that neither the spec nor a revision that may run again mounts."""
    own = {MODEL_LABEL: seen.model.name}
    job = weights_name(seen.model.name, weights_key(seen.model))
    jobs = await cluster.list(JOB, own) or []
    await _delete(cluster, JOB, (one for one in jobs if one["metadata"]["name"] != job))
    mounted = json.dumps([record["data"]["template"] for record in records])
    wanted = weights_name(seen.model.name, claim_key(seen.model))
    claims = await cluster.list(CLAIM, own) or []
    names = ((claim, claim["metadata"]["name"]) for claim in claims)
    await _delete(cluster, CLAIM, (claim for claim, name in names if name != wanted and name not in mounted))


def _made(record: Object) -> str:
    return str(record["metadata"]["creationTimestamp"])


async def _delete(cluster: Cluster, kind: Kind, things: Iterable[Object]) -> None:
    for thing in things:
        if not is_leaving(thing):
            await cluster.delete(kind, thing["metadata"]["name"])
