"""Which class is which engine. Imported by name, so that a worker loads only the libraries it needs."""

from importlib import import_module
from typing import cast

from pecia_core.errors import Unavailable
from pecia_core.vocabulary import EngineName

from pecia_ocr.engines.base import Engine

_CLASSES = {
    EngineName.DEEPSEEK: ("pecia_ocr.engines.deepseek.engine", "DeepseekEngine"),
    EngineName.RAPID: ("pecia_ocr.engines.rapid", "RapidEngine"),
    EngineName.TESSERACT: ("pecia_ocr.engines.tesseract", "TesseractEngine"),
    EngineName.SCRIPTED: ("pecia_ocr.engines.scripted", "ScriptedEngine"),
}


# A model that another server runs, where the settings name one.
_ELSEWHERE = ("pecia_ocr.engines.deepseek.remote", "RemoteEngine")


def build(name: EngineName, config: dict[str, object]) -> Engine:
    """The engine of that name, not loaded yet; `config` are its constructor's keyword arguments.

    Raises:
        Unavailable: a library it needs is not installed.
    """
    elsewhere = name is EngineName.DEEPSEEK and "url" in config
    module, cls = _ELSEWHERE if elsewhere else _CLASSES[name]
    try:
        engine = getattr(import_module(module), cls)
    except ModuleNotFoundError as error:
        extra = "remote" if elsewhere else name
        message = f"The {name} engine needs {error.name}: pip install 'pecia-ocr[{extra}]'."
        raise Unavailable(message) from error
    return cast("Engine", engine(**config))
