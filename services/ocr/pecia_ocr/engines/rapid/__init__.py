"""PP-OCR on a CPU: where the text is (detection), which way up it stands (orientation), what it says.

Reads the models inside the rapidocr wheel and none of its code: that code turns single lines
around by a classifier that is often wrong, pads every line to the widest of its batch, and writes
a caller's parameters into the shared object. `engine` has the order of the steps.
"""

from pecia_ocr.engines.rapid.engine import RapidEngine

__all__ = ["RapidEngine"]
