"""Why a pod does not say what it offers, in words for whoever runs this, and what to set."""

import grpc

from pecia_dispatch.settings import OcrSettings

_KEYS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_TLS_WORDS = ("ssl", "tls", "handshake", "certificate")


def trouble(failure: grpc.aio.AioRpcError, settings: OcrSettings) -> str:
    """A sentence or two; never a key."""
    if failure.code() in _KEYS:
        if settings.bearer_key.get_secret_value():
            return "The ocr service does not know the key in PECIA_OCR__BEARER_KEY: set one of its keys."
        return "The ocr service asks for a key: set PECIA_OCR__BEARER_KEY to one of its keys."
    if failure.code() is grpc.StatusCode.UNIMPLEMENTED:
        return f"What answers at {settings.target} is no ocr service of pecia: look at PECIA_OCR__TARGET."
    said = (failure.details() or "").lower()
    if settings.tls.ca_file is None:
        return (
            f"Nobody answers at {settings.target}. If the ocr service is up, it may speak TLS only: "
            "set PECIA_OCR__TLS__CA_FILE."
        )
    if any(word in said for word in _TLS_WORDS):
        return (
            "The ocr service and PECIA_OCR__TLS__CA_FILE do not agree: it speaks no TLS, or its certificate "
            "is of another authority or name, or it wants one of this gateway (PECIA_OCR__TLS__CERT_FILE)."
        )
    return f"Nobody answers over TLS at {settings.target}."
