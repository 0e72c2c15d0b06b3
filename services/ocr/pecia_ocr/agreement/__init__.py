"""A model's text beside what a CPU engine read on the same page. Pure: no engine, no process.

`script` is the model's text word by word, `places` are where lines find themselves in it, `comparing` makes
a reading of it whose lines have places and confidences.
"""

from pecia_ocr.agreement.comparing import compared

__all__ = ["compared"]
