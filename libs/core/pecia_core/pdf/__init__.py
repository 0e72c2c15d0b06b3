"""The only place that opens a PDF: pages become JPEGs in child processes that hold nothing else.

A PDF is a program of strangers for a large C++ library that must not be used from two threads. So
each child reads one document at a time, has no environment, no secrets, a limit on time, memory and
pixels, and ends with its parent. A page that hangs or breaks a child costs that call alone.

`renderer` is the pool, `process` one child seen from outside, `child` the child itself, `drawing`
what it does with PDFium, and `frames` what the two say to each other.
"""

from pecia_core.pdf.process import RenderLimits
from pecia_core.pdf.renderer import PdfRenderer, RenderedPage

__all__ = ["PdfRenderer", "RenderLimits", "RenderedPage"]
