"""What the Job that looks at a checkpoint has found."""

from dataclasses import dataclass

from pecia_operator.desired.weights import FINAL_STATUSES
from pecia_operator.failures import Failure, Trial, failure_of_pod, last_words
from pecia_operator.model import Object
from pecia_operator.observed import Observed, age_s, condition, is_true, moment
from pecia_operator.settings import RolloutSettings


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether weights are as they should be.

    Attributes:
        status: of the condition WeightsReady: "True", "False" or "Unknown".
        look_again: the Job has failed long enough ago to be made anew.
    """

    status: str
    reason: str
    message: str
    failure: Failure | None = None
    look_again: bool = False

    @property
    def ready(self) -> bool:
        """Whether pods may depend on them."""
        return self.status == "True"


def verify(seen: Observed, settings: RolloutSettings) -> Verification:
    """Read it from the Job and its pods."""
    if seen.model.spec.weights is None:
        return Verification("True", "BuiltIn", "The models are inside the image.")
    if seen.job is None:
        return Verification("Unknown", "Checking", "The check of the weights has not begun.")
    if is_true(seen.job, "Complete"):
        return Verification("True", "Verified", "Every file is as its manifest says.")
    if is_true(seen.job, "Failed"):
        return _failed(seen, settings)
    failure = _trouble(seen, settings)
    if failure:
        return Verification("False", failure.reason, failure.message, failure)
    return Verification(
        "Unknown", "Checking", "A Job reads the weights and compares them with their manifest."
    )


def _failed(seen: Observed, settings: RolloutSettings) -> Verification:
    ended = condition(seen.job, "Failed")
    failure = _last_end(seen) or Failure(
        "WeightsCheckFailed",
        f"The check of the weights did not end well: {ended.get('message', 'no reason was given')}. "
        "`kubectl describe job` shows more.",
    )
    since = moment(str(ended["lastTransitionTime"]))
    again = (seen.now - since).total_seconds() >= settings.weights_retry_s
    return Verification("False", failure.reason, failure.message, failure, look_again=again)


def _last_end(seen: Observed) -> Failure | None:
    """Of the newest pod that ended badly."""
    for pod in sorted(seen.job_pods, key=_made, reverse=True):
        for said in (pod.get("status") or {}).get("containerStatuses", ()):
            ended = (said.get("state") or {}).get("terminated")
            if ended and ended.get("exitCode"):
                code = int(ended["exitCode"])
                reason = FINAL_STATUSES.get(code, "WeightsFetchFailed")
                words = last_words(str(ended.get("message", "")))
                message = words or "The program said nothing; `kubectl logs` of the pod may."
                return Failure(reason, message, pod=pod["metadata"]["name"], exit_code=code)
    return None


def _made(pod: Object) -> str:
    return str(pod["metadata"]["creationTimestamp"])


def _trouble(seen: Observed, settings: RolloutSettings) -> Failure | None:
    """Why a Job that runs does not come on: its pod has no image or no node; or its last try failed."""
    trial = Trial(seen.model, "", proven=False, now=seen.now, settings=settings)
    waiting = (pod for pod in seen.job_pods if (pod.get("status") or {}).get("phase") == "Pending")
    for pod in waiting:
        if failure := failure_of_pod(trial, pod):
            return failure
    return _last_end(seen) if age_s(seen.job or {}, seen.now) > settings.patience_s else None
