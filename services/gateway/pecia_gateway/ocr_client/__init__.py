"""The ocr service as the gateway sees it: one client over all its pods."""

from pecia_gateway.ocr_client.call import Call
from pecia_gateway.ocr_client.client import OcrClient
from pecia_gateway.ocr_client.fleet import EngineOffer, Fleet, PodView

__all__ = ["Call", "EngineOffer", "Fleet", "OcrClient", "PodView"]
