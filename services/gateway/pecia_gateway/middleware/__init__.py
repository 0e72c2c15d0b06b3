"""Around every request: `Harmless`, in it CORS, `RequestContext`, `BodyLimit`, and the application."""

from pecia_gateway.middleware.body_limit import BodyBounds, BodyLimit
from pecia_gateway.middleware.context import HttpMetrics, RequestContext
from pecia_gateway.middleware.harmless import Harmless
from pecia_gateway.middleware.holding import BodyBudget
from pecia_gateway.middleware.refusal import Respond

__all__ = ["BodyBounds", "BodyBudget", "BodyLimit", "Harmless", "HttpMetrics", "RequestContext", "Respond"]
