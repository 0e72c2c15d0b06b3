"""Around every request. From outside to inside: CORS, `RequestContext`, `BodyLimit`, the application."""

from pecia_gateway.middleware.body_limit import BodyBounds, BodyBudget, BodyLimit
from pecia_gateway.middleware.context import HttpMetrics, RequestContext
from pecia_gateway.middleware.refusal import Respond

__all__ = ["BodyBounds", "BodyBudget", "BodyLimit", "HttpMetrics", "RequestContext", "Respond"]
