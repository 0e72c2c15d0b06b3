"""One model, from what the cluster says to what it should be: observe, decide, apply, report.

It may be called at any time, any number of times, and may be ended anywhere: nothing is remembered between
calls but what the cluster holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pecia_core.errors import InvalidRequest, PermissionDenied

from pecia_operator.announcing import announce
from pecia_operator.cluster import Cluster
from pecia_operator.desired import pod, scaling, weights, workload
from pecia_operator.failures import Failure
from pecia_operator.kinds import JOB, OCR_MODEL, SCALED_OBJECT
from pecia_operator.model import Model, Object, parse_model
from pecia_operator.names import API_VERSION, KIND
from pecia_operator.observation import observe
from pecia_operator.observed import Observed, is_leaving
from pecia_operator.pruning import prune
from pecia_operator.rollout import Plan, desired_replicas, plan
from pecia_operator.settings import Settings
from pecia_operator.status import invalid, status_of
from pecia_operator.verification import Verification, verify


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What a reconciliation needs besides the name of a model."""

    cluster: Cluster
    settings: Settings
    clock: Callable[[], datetime] = _utc_now

    async def reconcile(self, name: str) -> None:
        """Bring one model a step nearer to its spec.

        Raises:
            Unavailable: the API server did not answer, or somebody was faster; call it again.
            PermissionDenied: the operator may not do what it has to; call it again, much later.
            InvalidRequest: the API server refuses what the spec comes to; the same.
        """
        read = await self.cluster.get(OCR_MODEL, name)
        if read is None or is_leaving(read):
            return  # what belongs to it goes with it: its objects name it as their owner
        try:
            model = parse_model(read)
        except InvalidRequest as error:
            await self._refused(read, Failure("InvalidSpec", error.message))
            return  # another try would find the same
        try:
            await self._reconcile(model, read)
        except InvalidRequest as error:
            await self._refused(read, Failure("InvalidSpec", error.message))
            raise
        except PermissionDenied as error:
            await self._refused(read, _denied(error))
            raise

    async def _reconcile(self, model: Model, read: Object) -> None:
        seen = await observe(self.cluster, model, self.settings.operator, self.clock())
        target = pod.target_revision(model, self.settings.operator, seen.shared_env)
        checked = verify(seen, self.settings.rollout)
        decided = plan(seen, target, self.settings.rollout, weights_ready=checked.ready)
        await self._check_weights(seen, checked)
        seen = await self._run(seen, decided)
        await self._surround(seen)
        await self._report(read, status_of(seen, decided, checked))
        await prune(self.cluster, seen, decided, self.settings.rollout.history)

    async def _check_weights(self, seen: Observed, checked: Verification) -> None:
        """The Job that looks at the weights, made anew when it failed long enough ago."""
        model = seen.model
        if model.spec.weights is None:
            return
        if model.spec.weights.cache:
            await self.cluster.apply(weights.weights_claim(model, model.spec.weights.cache))
        if seen.job and checked.look_again:
            await self.cluster.delete(JOB, seen.job["metadata"]["name"])
        elif seen.job is None:
            # Never applied again: a Job cannot be changed.
            await self.cluster.create(weights.weights_job(model, model.spec.weights, self.settings.operator))

    async def _run(self, seen: Observed, decided: Plan) -> Observed:
        """The Deployment with the revision that should run, and what that needs first."""
        run = decided.run
        if run is None:
            return seen
        if seen.record(run.name) is None:
            await self.cluster.create(workload.record(seen.model, run, seen.model.generation))
        await self.cluster.apply(workload.config_map(seen.model, run))
        replicas = desired_replicas(seen.model, seen)
        manifest = workload.deployment(seen.model, run, replicas, self.settings.rollout)
        return replace(seen, deployment=await self.cluster.apply(manifest))

    async def _surround(self, seen: Observed) -> None:
        """What stands around the pods."""
        model = seen.model
        await self.cluster.apply(workload.service(model))
        await self.cluster.apply(workload.disruption_budget(model))
        if model.spec.scaling and seen.keda:
            await self.cluster.apply(scaling.scaled_object(model, model.spec.scaling))
        elif seen.scaled_object:
            await self.cluster.delete(SCALED_OBJECT, seen.scaled_object["metadata"]["name"])

    async def _refused(self, read: Object, failure: Failure) -> None:
        generation = read["metadata"].get("generation", 1)
        await self._report(read, invalid(read.get("status") or {}, generation, self.clock(), failure))

    async def _report(self, read: Object, status: Object) -> None:
        former = read.get("status") or {}
        if status == former:
            return
        await self.cluster.apply_status(
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {name: read["metadata"][name] for name in ("name", "namespace")},
                "status": status,
            }
        )
        await announce(self.cluster, read, status, self.clock())


def _denied(error: PermissionDenied) -> Failure:
    if "exceeded quota" in error.message:
        advice = "Raise the namespace's ResourceQuota, or ask for less in the spec."
        return Failure("QuotaExceeded", f"{error.message}. {advice}")
    advice = "Give the operator the rules of its chart, or of pecia_operator/rbac.yaml."
    return Failure("OperatorForbidden", f"{error.message}. {advice}")
