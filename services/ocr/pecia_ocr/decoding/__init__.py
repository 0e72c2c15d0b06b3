"""From what a caller sent to the pixels of a page.

`sniff` reads headers only and is all that the service's own process may call. `decoder` has pictures
decoded in worker processes, by `child`: a program behind walls with a process of its own for each picture,
which opens no `formats` but those that are read. `encoded` is what happens there, `exchange` what the two
say to each other.
"""

from pecia_core.header import PictureHeader, sniff

from pecia_ocr.decoding.decoder import DecodeLimits, Decoder
from pecia_ocr.decoding.encoded import Decoded, decode, decode_for_reading
from pecia_ocr.decoding.raw import from_raw

__all__ = [
    "DecodeLimits",
    "Decoded",
    "Decoder",
    "PictureHeader",
    "decode",
    "decode_for_reading",
    "from_raw",
    "sniff",
]
