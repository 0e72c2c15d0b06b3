"""From what a caller sent to the pixels of a page.

`sniff` reads headers only and is all that the service's own process may call; `decode` and
`from_raw` run in worker processes, where hostile bytes can do little harm.
"""

from pecia_ocr.decoding.encoded import decode
from pecia_ocr.decoding.header import PictureHeader, sniff
from pecia_ocr.decoding.raw import from_raw

__all__ = ["PictureHeader", "decode", "from_raw", "sniff"]
