"""Which engines run: settings -> a lane each, with all that its worker processes become."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from pecia_core.vocabulary import EngineName

from pecia_ocr.cores import usable_cores
from pecia_ocr.decoding import DecodeLimits
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.process import EngineSpec
from pecia_ocr.settings import Settings, gpu_environment, worker_environment


def build_lanes(settings: Settings) -> list[Lane]:
    """One lane per engine that is switched on, best first."""
    engines = settings.engines
    lanes = []
    if settings.gpu_enabled and settings.deepseek.server_url:
        lanes.append(Lane(_remote(settings), workers=1))
    elif settings.gpu_enabled and settings.model_path is not None:
        lanes.append(Lane(_deepseek(settings, settings.model_path), workers=1))
    elif settings.deepseek.demo and (settings.deepseek.demo_path / "config.json").is_file() and has_torch():
        lanes.append(Lane(_demonstration(settings), workers=1))
    if engines.rapid:
        lanes.append(Lane(_rapid(settings), engines.rapid_workers or usable_cores()))
    if engines.tesseract and engines.tesseract_workers:
        config = {"languages": list(engines.tesseract_languages)}
        lanes.append(Lane(_spec(settings, EngineName.TESSERACT, config), engines.tesseract_workers))
    if engines.scripted:
        spec = _spec(settings, EngineName.SCRIPTED, {"script": engines.scripted_script})
        pages = engines.scripted_pages_per_worker
        lanes.append(Lane(replace(spec, pages_at_once=pages), engines.scripted_workers))
    return lanes


def _deepseek(settings: Settings, model_path: Path) -> EngineSpec:
    """One process owns the GPU; its pages share every step."""
    deepseek = settings.deepseek
    config = {
        "folder": str(model_path),
        "device": deepseek.device,
        "slots": deepseek.pages_at_once,
        "max_tokens": deepseek.max_tokens,
        "memory_gb": deepseek.memory_gb,
        "pages_together": deepseek.pages_together,
        "text_every_s": deepseek.text_every_ms / 1000,
        "public_key": deepseek.signing_key_file.read_text("utf-8") if deepseek.signing_key_file else "",
    }
    return replace(
        _spec(settings, EngineName.DEEPSEEK, config),
        environment=worker_environment() | gpu_environment(),
        pages_at_once=deepseek.pages_at_once,
    )


def _demonstration(settings: Settings) -> EngineSpec:
    """The small checkpoint, on one core: it is there to be looked at."""
    config = {"folder": str(settings.deepseek.demo_path), "device": "cpu", "slots": 2, "max_tokens": 64}
    spec = _spec(settings, EngineName.DEEPSEEK, {**config, "demo": True})
    return replace(spec, pages_at_once=2, demo=True)


def has_torch() -> bool:
    """Whether a model can be computed here: `make torch` brings it."""
    return all(find_spec(name) for name in ("torch", "transformers", "safetensors"))


def _remote(settings: Settings) -> EngineSpec:
    """One process asks the server for all pages. It alone of all workers has a key and uses the network."""
    deepseek = settings.deepseek
    config = {
        "url": deepseek.server_url,
        "profile": deepseek.server_profile,
        "model": deepseek.server_model,
        "api_key": deepseek.server_key.get_secret_value() if deepseek.server_key else "",
        "silence_s": deepseek.server_silence_s,
    }
    return replace(_spec(settings, EngineName.DEEPSEEK, config), pages_at_once=deepseek.pages_at_once)


def _rapid(settings: Settings) -> EngineSpec:
    engines = settings.engines
    config = {
        "threads": engines.rapid_threads,
        "runtime": engines.rapid_runtime,
        "precision": engines.rapid_precision,
        "script": engines.rapid_script,
    }
    return replace(
        _spec(settings, EngineName.RAPID, config),
        pages_at_once=engines.rapid_pages_per_worker,
        max_resident_bytes=engines.rapid_max_resident_mb << 20,
    )


def _spec(settings: Settings, name: EngineName, config: Mapping[str, object]) -> EngineSpec:
    return EngineSpec(
        name=name,
        config=dict(config),
        environment=worker_environment(),
        load_timeout_s=settings.engines.load_timeout_s,
        reload_patience_s=settings.engines.reload_patience_s,
        cancel_grace_s=settings.engines.cancel_grace_s,
        log_level=settings.telemetry.log_level,
        decoding=_decoding(settings),
    )


def _decoding(settings: Settings) -> DecodeLimits:
    limits = settings.limits
    return DecodeLimits(
        limits.max_picture_pixels, limits.decode_memory_mb << 20, limits.decode_s, settings.wall.required
    )
