"""Why a pod does not say what it offers, in words for whoever runs this, and what to set."""

import grpc
from pecia_identity.certificates import Papers

from pecia_dispatch.settings import OcrSettings

_KEYS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_CA = "PECIA_OCR__TLS__CA_FILE"
_OWN = "PECIA_OCR__TLS__CERT_FILE"
# What the transport says of a certificate -> what to do. Its words are OpenSSL's and gRPC's own.
_CERTIFICATES = {
    "certificate has expired": "The ocr service's certificate has expired: renew it where its "
    "PECIA_TLS__CERT_FILE points; no restart is needed.",
    "certificate is not yet valid": "The ocr service's certificate does not count yet: look at the clocks of "
    "both machines.",
    "hostname verification check failed": "The ocr service's certificate is for another name: set "
    "PECIA_OCR__TLS__SERVER_NAME to one of its names, or issue it for {name}.",
    "unable to get local issuer certificate": "The ocr service's certificate is of an authority that "
    f"{_CA} does not hold: add it there.",
    "self signed certificate": f"The ocr service's certificate is signed by itself: put it into {_CA}.",
    "wrong_version_number": f"The ocr service speaks no TLS: empty {_CA}, or set its PECIA_TLS__CERT_FILE.",
}


def trouble(failure: grpc.aio.AioRpcError, settings: OcrSettings, papers: Papers) -> str:
    """A sentence or two; never a key. `papers` = what the call showed."""
    if failure.code() in _KEYS:
        return _identity(failure, settings)
    if failure.code() is grpc.StatusCode.UNIMPLEMENTED:
        return f"What answers at {settings.target} is no ocr service of pecia: look at PECIA_OCR__TARGET."
    if settings.tls.ca_file is None:
        return (
            f"Nobody answers at {settings.target}. If the ocr service is up, it may speak TLS only: "
            f"set {_CA}."
        )
    return _transport((failure.details() or "").lower(), settings, papers)


def _identity(failure: grpc.aio.AioRpcError, settings: OcrSettings) -> str:
    if "PECIA_TLS__CLIENT_NAMES" in (failure.details() or ""):
        return f"{failure.details()} The certificate of this service is in {_OWN}."
    if settings.assertion.key_file:
        return f"{failure.details()} The key that signs is in PECIA_OCR__ASSERTION__KEY_FILE."
    if settings.bearer_key.get_secret_value():
        return "The ocr service does not know the key in PECIA_OCR__BEARER_KEY: set one of its keys."
    return (
        "The ocr service asks for a key: set PECIA_OCR__BEARER_KEY to one of its keys, or sign calls with "
        "PECIA_OCR__ASSERTION__KEY_FILE."
    )


def _transport(said: str, settings: OcrSettings, papers: Papers) -> str:
    for words, meaning in _CERTIFICATES.items():
        if words in said:
            return meaning.format(name=settings.tls.server_name or "the name in PECIA_OCR__TARGET")
    if ended := papers.ended():
        return (
            f"The ocr service does not talk to this one: {ended}. Renew it in {_OWN}; no restart is needed."
        )
    if "closed" in said or "reset" in said or any(word in said for word in ("ssl", "tls", "handshake")):
        return (
            f"The ocr service hangs up before the first word. It may speak no TLS, or want a certificate of "
            f"this service: set {_OWN}, of an authority that its PECIA_TLS__CLIENT_CA_FILE holds."
        )
    return f"Nobody answers over TLS at {settings.target}."
