"""Results that are kept, and readings that are shared: a page is read once for all who ask the same.

`results.Results` knows what was read, `flights.Flights` what is being read here, `elsewhere.Elsewhere`
what other processes read. The first two are asked before a page is admitted: neither an answer that is
there nor one that is coming costs a slot.
"""

from pecia_ocr.cache.control import CacheControl
from pecia_ocr.cache.elsewhere import Elsewhere
from pecia_ocr.cache.flight import Flight
from pecia_ocr.cache.flights import Flights
from pecia_ocr.cache.layered import LayeredStore
from pecia_ocr.cache.link import RedisLink
from pecia_ocr.cache.memory import MemoryStore
from pecia_ocr.cache.replay import replayed
from pecia_ocr.cache.results import Outcome, Results, Ticket
from pecia_ocr.cache.shared import SharedStore
from pecia_ocr.cache.store import Store

__all__ = [
    "CacheControl",
    "Elsewhere",
    "Flight",
    "Flights",
    "LayeredStore",
    "MemoryStore",
    "Outcome",
    "RedisLink",
    "Results",
    "SharedStore",
    "Store",
    "Ticket",
    "replayed",
]
