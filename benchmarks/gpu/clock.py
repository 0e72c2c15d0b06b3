"""Times what runs on a device that is only told what to do: it is waited for before and after."""

from collections.abc import Callable
from time import perf_counter

import torch


def wait(device: torch.device) -> None:
    """Until it is through with everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(device: torch.device, work: Callable[[], object], times: int = 1) -> float:
    """Of one run, the mean of so many in a row."""
    wait(device)
    began = perf_counter()
    for _ in range(times):
        work()
    wait(device)
    return (perf_counter() - began) / times
