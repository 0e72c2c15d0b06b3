"""From what a caller sent to the pixels of a page.

`sniff` reads headers only and is all that the service's own process may call; the others run in
worker processes, where hostile bytes can do little harm.
"""

from pecia_ocr.decoding.encoded import Decoded, decode, decode_for_reading
from pecia_ocr.decoding.header import PictureHeader, sniff
from pecia_ocr.decoding.raw import from_raw

__all__ = ["Decoded", "PictureHeader", "decode", "decode_for_reading", "from_raw", "sniff"]
