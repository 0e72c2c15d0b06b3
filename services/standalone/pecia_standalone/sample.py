"""The self-check: a receipt drawn here goes the whole way, and its words must come back."""

import ssl
from dataclasses import dataclass

from pecia_client.reading import Reading
from pecia_client.rest import RestClient
from pecia_core.errors import PeciaError
from pecia_core.testing import sample_receipt

# Engines differ in spaces and dots; one that finds fewer of the words than this does not read.
_ENOUGH = 0.8
_TIMEOUT_S = 120.0


class SelfCheckFailed(Exception):
    """The sample was not read; says why in a sentence."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read, and the share of the words that were found, 0 to 1."""

    reading: Reading
    found: float


def read_sample(api: str, api_key: str | None, tls: ssl.SSLContext | None = None) -> Checked:
    """Read the receipt through the REST gateway, whom `tls` trusts; raises SelfCheckFailed."""
    picture, rows = sample_receipt()
    # An engine is what is checked, not what another start has kept in Redis.
    with RestClient(api, api_key=api_key, timeout_s=_TIMEOUT_S, cache=False, tls=tls) as client:
        try:
            reading = client.recognize(picture)
        except PeciaError as error:
            raise SelfCheckFailed(f"{error.message} ({error.code}, request {error.request_id})") from error
    found = share_found(" ".join(rows), reading.text)
    if found < _ENOUGH:
        raise SelfCheckFailed(f"only {found:.0%} of the sample's words came back: {reading.text!r}")
    return Checked(reading, found)


def share_found(expected: str, text: str) -> float:
    """How many of the expected words stand in a text, 0 to 1, whatever the spaces and capitals."""
    joined = "".join(text.split()).casefold()
    words = expected.casefold().split()
    return sum(word in joined for word in words) / len(words)
