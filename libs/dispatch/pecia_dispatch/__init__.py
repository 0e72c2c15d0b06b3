"""Pages to the ocr service: one client over all its pods. What services call it with; not for customers.

A page goes to the pod with the least outstanding, once more to another if that one refuses or is gone.
"""

from pecia_dispatch.call import Call
from pecia_dispatch.client import OcrClient
from pecia_dispatch.fleet import EngineOffer, Fleet, PodView

__all__ = ["Call", "EngineOffer", "Fleet", "OcrClient", "PodView"]
