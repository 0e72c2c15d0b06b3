"""How an error is told to the client; `problems` knows, the middleware only asks."""

from collections.abc import Callable

from pecia_core.errors import PeciaError
from starlette.responses import Response

Respond = Callable[[PeciaError], Response]
