"""The only place that opens a PDF, in child processes that hold nothing else.

A PDF is a program of strangers for a large C++ library that must not be used from two threads. So
each child has one document open at a time, no environment, no secrets, a limit on time, memory and
pixels, and ends with its parent. A page that hangs or breaks a child costs that call alone.

`renderer` is the pool, `document` a PDF open in it, `process` one child seen from outside, `child`
the child itself, and `frames` what the two say to each other. Inside a child, `opened` is the
document, `drawing` makes pictures of its pages and `reading` their text layers, which `layer` holds.
"""

from pecia_core.pdf.document import OpenPdf, RenderedPage
from pecia_core.pdf.layer import TextLayer, Verdict
from pecia_core.pdf.process import RenderLimits
from pecia_core.pdf.renderer import PdfRenderer

__all__ = ["OpenPdf", "PdfRenderer", "RenderLimits", "RenderedPage", "TextLayer", "Verdict"]
