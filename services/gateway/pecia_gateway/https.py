"""The gateway's own HTTPS, where nothing before it does that: certificates that change while it serves."""

import logging
import ssl

import uvicorn
from pecia_identity.certificates import PaperFiles, Papers
from pecia_identity.watched import Watched

from pecia_gateway.settings import HttpSettings

_log = logging.getLogger(__name__)
_LOOK_S = 1.0


class Certificates:
    """Shows the newest certificate at each handshake; connections that are there go on."""

    def __init__(self, files: PaperFiles) -> None:
        """Read them.

        Raises:
            ValueError, OSError: they cannot be used.
        """
        self._files = files
        self._papers = Watched("the gateway's certificate", files.there, files.read, _LOOK_S)
        self._loaded = self._papers.now()
        self._context = self._made()

    def listen(self, *_: object) -> ssl.SSLContext:
        """What the server listens with; also a factory as uvicorn wants it."""
        context = self._made()
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        """Called for each handshake, with or without a server's name in it."""
        if (papers := self._papers.now()) != self._loaded:
            self._take(papers)
        connection.context = self._context

    def _take(self, papers: Papers) -> None:
        self._loaded = papers
        try:
            self._context = self._made()
        except (OSError, ssl.SSLError) as error:  # changed again in this moment: the next look sees it
            _log.warning("the new certificate cannot be used", extra={"reason": type(error).__name__})
        if ended := papers.ended():
            _log.error("Clients will refuse the gateway: %s. Renew PECIA_HTTP__CERT_FILE", ended)

    def _made(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        assert self._files.certificate  # noqa: S101 - made for one
        context.load_cert_chain(self._files.certificate, self._files.key)
        return context


def secured(config: uvicorn.Config, settings: HttpSettings) -> uvicorn.Config:
    """The same, with HTTPS where the settings name a certificate.

    Raises:
        ValueError, OSError: it cannot be used; the gateway must not start plain by mistake.
    """
    if settings.cert_file or settings.key_file:
        config.ssl_context_factory = Certificates(PaperFiles(settings.cert_file, settings.key_file)).listen
    return config
