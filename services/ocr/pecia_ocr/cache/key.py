"""What makes two requests the same page: tenant, picture, the engine that reads it, and what is asked."""

import asyncio
from dataclasses import replace
from hashlib import sha256

import msgspec
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import Priority

from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling.page import PageInput

# Hashing this much takes a millisecond at most; more is done beside the event loop.
_AT_ONCE_BYTES = 1 << 18
_MARK_DIGITS = 24


def repeatable(options: RecognizeOptions) -> bool:
    """Whether the same page would be read the same way again: not when tokens are drawn by chance."""
    return not options.sampling.temperature or options.sampling.seed is not None


async def key_of(page: PageInput, tenant: str, engine: EngineInfo, setup: str) -> str:
    """The name of a reading: digits of its tenant's, a colon, and its own; it shows nothing of the page.

    Args:
        page: bytes as they came, how they lie, and the options.
        tenant: whose page it is; no tenant ever meets a reading of another.
        engine: which one really answers, with its revision.
        setup: whatever else about this process changes what is read.
    """
    asked = _asked(page.options, engine)
    head = msgspec.msgpack.encode((tenant, setup, engine, asked, page.raw, len(page.data)))
    if len(page.data) <= _AT_ONCE_BYTES:
        return tenant_mark(tenant) + _digest(head, page.data)
    return tenant_mark(tenant) + await asyncio.to_thread(_digest, head, page.data)


def tenant_mark(tenant: str) -> str:
    """What the names of all readings of a tenant begin with."""
    return f"{sha256(tenant.encode()).hexdigest()[:_MARK_DIGITS]}:"


def _digest(head: bytes, data: bytes) -> str:
    digest = sha256(head)
    digest.update(data)
    return digest.hexdigest()


def _asked(options: RecognizeOptions, engine: EngineInfo) -> RecognizeOptions:
    """The options without what does not change the text: whatever name was used, the engine is known."""
    asked = replace(options, page_index=0, priority=Priority.DEFAULT)
    if engine.sizes:  # the name may hold the size
        return replace(asked, model=options.model.strip().lower())
    return replace(asked, model="", model_size=None)
