"""Where it is measured: the device, how fast its memory is, and with what."""

import platform
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter

import torch

from benchmarks import machine
from benchmarks.gpu.found import Place
from benchmarks.gpu.roofline import peak_bandwidth

_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "flash-attn", "numpy", "pillow", "grpcio")
_NUMBERS = 64 << 20  # of four bytes: far more than caches hold
_TRIES = 5
_GIGA = 1e9


def here(bandwidth: float | None) -> Place:
    """This machine. `bandwidth`: GB/s, instead of what the list or a measurement says."""
    on_gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if on_gpu else machine.processor()
    peak = bandwidth or (peak_bandwidth(device) if on_gpu else None)
    return Place(device, on_gpu, peak or _measured(), peak is None, machine.load(), _versions())


def _measured() -> float:
    """GB/s at which the device's memory is read, the best of a few."""
    numbers = torch.ones(_NUMBERS, device="cuda" if torch.cuda.is_available() else "cpu")
    best = float("inf")
    for _ in range(_TRIES):
        began = perf_counter()
        float(numbers.sum())  # waits for the device
        best = min(best, perf_counter() - began)
    return numbers.numel() * numbers.element_size() / best / _GIGA


def _versions() -> str:
    known = [f"{name} {_version(name)}" for name in _PACKAGES]
    cuda = f", CUDA {torch.version.cuda}" if torch.cuda.is_available() else ""
    return f"Python {platform.python_version()}, {', '.join(known)}{cuda}; host: {machine.processor()}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
