"""Reading all that belongs to one model."""

import json
from datetime import datetime
from hashlib import sha256

from pecia_operator.cluster import Cluster
from pecia_operator.desired.checkpoint import weights_key
from pecia_operator.kinds import CONFIG_MAP, DEPLOYMENT, JOB, POD, RECORD, SCALED_OBJECT
from pecia_operator.model import Model
from pecia_operator.names import (
    COMPONENT_LABEL,
    MODEL_LABEL,
    READER,
    WEIGHTS,
    object_name,
    weights_name,
)
from pecia_operator.observed import Observed
from pecia_operator.settings import OperatorSettings

_DIGITS = 10


async def observe(cluster: Cluster, model: Model, settings: OperatorSettings, now: datetime) -> Observed:
    """Ask the API server, not a cache: what is decided next must not rest on something older than itself."""
    own = {MODEL_LABEL: model.name}
    # Before its pods: a Deployment that is complete has pods that are ready, unless they have failed since.
    deployment = await cluster.get(DEPLOYMENT, object_name(model.name))
    pods = await cluster.list(POD, own) or []
    records = await cluster.list(RECORD, own) or []
    scaled = await cluster.list(SCALED_OBJECT, own)
    jobs = await cluster.list(JOB, own) or []
    wanted = weights_name(model.name, weights_key(model, settings))
    job = next((job for job in jobs if job["metadata"]["name"] == wanted), None)
    return Observed(
        model=model,
        now=now,
        deployment=deployment,
        pods=[pod for pod in pods if pod["metadata"]["labels"].get(COMPONENT_LABEL) == READER],
        job=job,
        job_pods=[
            pod
            for pod in pods
            if job
            and pod["metadata"]["labels"].get(COMPONENT_LABEL) == WEIGHTS
            and any(
                owner["uid"] == job["metadata"]["uid"] for owner in pod["metadata"].get("ownerReferences", ())
            )
        ],
        scaled_object=next(iter(scaled or ()), None),
        jobs=jobs,
        records=records,
        shared_env=await _shared_env(cluster, settings),
        keda=scaled is not None,
    )


async def _shared_env(cluster: Cluster, settings: OperatorSettings) -> str:
    """A digest of the settings all pods share. Secrets are not read: a pod sees a new one when it starts."""
    if not settings.ocr_env:
        return ""
    shared = await cluster.get(CONFIG_MAP, settings.ocr_env)
    data = (shared or {}).get("data") or {}
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:_DIGITS]
