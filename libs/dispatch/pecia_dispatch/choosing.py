"""Which pod is asked for a page.

Few pods are all compared. Of many, a few that chance draws: hundreds of callers who do not see each other's
pages, and hear of free slots every few seconds, would else all go to the pods that said they were emptiest.
After M. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (2001); three did better here.
"""

from collections.abc import Collection, Sequence
from random import Random

from pecia_dispatch.pod import Pod

# Up to here comparing all waits less, from 100 on it waits longer: benchmarks/results/scale.md.
FEW = 64
DRAWN = 16
COMPARED = 3


def choose(pods: Sequence[Pod], model: str, tried: Collection[Pod], chance: Random) -> Pod | None:
    """The pod to ask among those not tried yet; None = there is none.

    One that has room where there is such a one, then one that answers to the model, then any.
    """
    if len(pods) > FEW:
        drawn = (pods[number] for number in chance.sample(range(len(pods)), DRAWN))
        fit = [pod for pod in drawn if pod not in tried and pod.fits(model)]
        if len(fit) >= COMPARED:
            return min(fit[:COMPARED], key=Pod.preference)
    left = [pod for pod in pods if pod not in tried]
    able = [pod for pod in left if pod.offers(model, ready=True)] or [
        pod for pod in left if pod.offers(model, ready=False)
    ]
    return min(able or left, key=Pod.preference, default=None)
