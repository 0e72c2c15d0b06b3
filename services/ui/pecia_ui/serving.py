"""The server around the page: Streamlit's own, whose answers say what a browser may do with them.

`streamlit run` finds `app` here. What the page shows is sanitised before it is sent; this policy is the wall
behind that one: were a script to get through, the browser would neither run it nor let anything out.
"""

import base64
import hashlib
import re
from importlib.resources import files

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.starlette import App

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def policy() -> str:
    """The Content-Security-Policy of everything this server sends."""
    page = (files("streamlit") / "static" / "index.html").read_text(encoding="utf-8")
    known = " ".join(_source_hash(script) for script in _INLINE.findall(page))
    rules = {
        "default-src": "'self'",
        # Our own component of the text box comes to the browser as a blob.
        "script-src": f"'self' blob: {known}",
        "style-src": "'self' 'unsafe-inline'",  # Streamlit writes its styles while it runs
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self' data:",  # what a data URL holds comes from no server
        "worker-src": "'self' blob:",
        "frame-src": "'none'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _source_hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


class Guarded:
    """Adds the policy to every answer, and that no browser may guess what an answer is."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app
        self._headers = {
            "content-security-policy": policy(),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, guarded_send)


app = App("app.py", middleware=[Middleware(Guarded)])
