"""A reading as it is kept: which ones are, how they are written, and how they are believed again."""

from dataclasses import replace
from hashlib import sha256

import msgspec
from pecia_core.recognition import Recognition
from pecia_core.vocabulary import FinishReason

from pecia_ocr.engines.base import EngineInfo

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Recognition)
# Part of every name in a store that outlives this process: what another version of the model wrote is
# never found. It follows from the types, so that nobody has to think of raising it.
FORMAT = sha256(msgspec.json.encode(msgspec.json.schema(Recognition), order="sorted")).hexdigest()[:12]
# A page of 100,000 lines; a store that says more is not believed.
MAX_BYTES = 16 * 1024 * 1024


def worth_keeping(recognition: Recognition) -> bool:
    """Whether the engine was done with the page and content with it."""
    return (
        recognition.finish_reason is FinishReason.STOP
        and not recognition.fallback_from
        and not recognition.warnings
        and recognition.attempts == 1
    )


def encoded(recognition: Recognition) -> bytes:
    """The reading as bytes."""
    return _encoder.encode(replace(recognition, cached=False))


def decoded(data: bytes, engine: EngineInfo) -> Recognition | None:
    """The reading again; None = these bytes are not one of this engine, whoever put them there."""
    if len(data) > MAX_BYTES:
        return None
    try:
        recognition = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    own = (recognition.engine, recognition.model) == (engine.name, engine.revision)
    return recognition if own and worth_keeping(recognition) else None
