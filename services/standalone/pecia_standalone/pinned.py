"""The gateway's own certificate, by which it is known on this machine whatever name it carries."""

import ssl
from pathlib import Path

_END = "-----END CERTIFICATE-----"


def only(cert_file: Path | None) -> ssl.SSLContext | None:
    """Trust in the first certificate of a file and in no other; None = there is no file, and no TLS.

    It is made out to the name by which others call, not to an address of this machine.

    Raises:
        OSError: it cannot be read.
        ssl.SSLError: it holds no certificate.
    """
    if cert_file is None:
        return None
    leaf, end, _ = cert_file.read_text().partition(_END)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # Whoever has issued it need not be known.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=leaf + end)
    return context
