"""The one way out: every request to an address that somebody else named goes through here."""

from pecia_fetch.fetcher import Fetcher
from pecia_fetch.poster import Answer, Poster

__all__ = ["Answer", "Fetcher", "Poster"]
