"""Certificates and signing keys of this machine: who gets which, and their renewal while all runs."""

import asyncio
import logging
from datetime import timedelta

from pecia_identity.authority import SERVER_NAME, Authority, Lifetimes

from pecia_standalone.settings import Settings

_log = logging.getLogger(__name__)
_LOOK_S = 60.0


def authority(settings: Settings) -> Authority:
    """The folder with all of it."""
    days = timedelta(days=settings.certificate_days)
    return Authority(settings.identity.absolute(), Lifetimes(certificate=days))


def service_papers(settings: Settings) -> dict[str, str]:
    """What the ocr service shows, demands and believes; nothing where calls are plain."""
    if not settings.secure:
        return {}
    papers = authority(settings)
    return {
        "PECIA_TLS__CERT_FILE": str(papers.certificate("ocr")),
        "PECIA_TLS__KEY_FILE": str(papers.key("ocr")),
        "PECIA_TLS__CLIENT_CA_FILE": str(papers.bundle),
        "PECIA_ASSERTION__KEYS_FILE": str(papers.verifying),
    }


def caller_papers(settings: Settings, who: str) -> dict[str, str]:
    """The same of `gateway` or `worker`."""
    if not settings.secure:
        return {}
    papers = authority(settings)
    return {
        "PECIA_OCR__TLS__CA_FILE": str(papers.bundle),
        "PECIA_OCR__TLS__CERT_FILE": str(papers.certificate(who)),
        "PECIA_OCR__TLS__KEY_FILE": str(papers.key(who)),
        "PECIA_OCR__TLS__SERVER_NAME": SERVER_NAME,
        "PECIA_OCR__ASSERTION__KEY_FILE": str(papers.signing),
    }


async def keep_renewed(settings: Settings) -> None:
    """Renew what ends soon, for as long as the services run: they take it in by themselves."""
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            made = await asyncio.to_thread(authority(settings).renew)
        except OSError as error:
            _log.error("certificates cannot be renewed", extra={"reason": str(error)})
        else:
            if made:
                _log.info("renewed: %s", ", ".join(made))
