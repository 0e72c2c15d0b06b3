"""Deleting what belonged to revisions and weights that nothing needs any more."""

import json

from pecia_operator.cluster import Cluster
from pecia_operator.desired.checkpoint import claim_key
from pecia_operator.kinds import CLAIM, CONFIG_MAP, JOB, RECORD
from pecia_operator.model import Object
from pecia_operator.names import MODEL_LABEL, weights_name
from pecia_operator.observed import Observed, ready_pods, revision_of
from pecia_operator.rollout import Plan


async def prune(cluster: Cluster, seen: Observed, decided: Plan, history: int) -> None:
    """Keep what runs, what served, what is asked for, and the newest of the rest.

    Args:
        cluster: where.
        seen: the model and what belongs to it.
        decided: which revisions count.
        history: how many others are kept, to look at.
    """
    needed = {decided.target.name, decided.active, *map(revision_of, ready_pods(seen.pods))}
    if decided.run:
        needed.add(decided.run.name)
    records = sorted(seen.records, key=_made, reverse=True)
    spare = [record for record in records if revision_of(record) not in needed]
    for record in spare[history:]:
        name = record["metadata"]["name"]
        await cluster.delete(CONFIG_MAP, name)
        await cluster.delete(RECORD, name)  # the last, so that its settings are not forgotten here
    if seen.jobs or seen.model.spec.weights:
        await _prune_weights(cluster, seen, [record for record in records if record not in spare[history:]])


async def _prune_weights(cluster: Cluster, seen: Observed, records: list[Object]) -> None:
    """Claims that neither the spec nor a revision that may run again mounts; and Jobs for other weights."""
    mounted = json.dumps([record["data"]["template"] for record in records])
    wanted = weights_name(seen.model.name, claim_key(seen.model))
    for claim in await cluster.list(CLAIM, {MODEL_LABEL: seen.model.name}) or []:
        name = claim["metadata"]["name"]
        if name != wanted and name not in mounted:
            await cluster.delete(CLAIM, name)
    current = seen.job["metadata"]["name"] if seen.job else ""
    for job in seen.jobs:
        if job["metadata"]["name"] != current:
            await cluster.delete(JOB, job["metadata"]["name"])


def _made(record: Object) -> str:
    return str(record["metadata"]["creationTimestamp"])
