"""Which class is which engine. Imported by name, so that a worker loads only the libraries it needs."""

from importlib import import_module
from typing import cast

from pecia_core.vocabulary import EngineName

from pecia_ocr.engines.base import Engine

_CLASSES = {
    EngineName.RAPID: ("pecia_ocr.engines.rapid", "RapidEngine"),
    EngineName.TESSERACT: ("pecia_ocr.engines.tesseract", "TesseractEngine"),
    EngineName.SCRIPTED: ("pecia_ocr.engines.scripted", "ScriptedEngine"),
}


def build(name: EngineName, config: dict[str, object]) -> Engine:
    """The engine of that name, not loaded yet; `config` are its constructor's keyword arguments."""
    module, cls = _CLASSES[name]
    return cast("Engine", getattr(import_module(module), cls)(**config))
