"""On whose behalf a page is read, and how the ocr service is told."""

from dataclasses import dataclass, field
from urllib.parse import quote

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """On whose behalf, and how long the answer is waited for (seconds)."""

    request_id: str
    tenant: str
    timeout_s: float
    bearer: str = field(default="", repr=False)


def metadata_of(call: Call, own_key: str) -> Metadata:
    """What travels beside the request. The gateway's own key wins over the caller's: it is trusted."""
    return (
        *authorization(own_key or call.bearer),
        ("x-request-id", quote(call.request_id, safe=":")),
        ("x-pecia-tenant", quote(call.tenant)),
    )


def authorization(key: str) -> Metadata:
    """The key, unless it holds what gRPC metadata cannot carry: such a key is nobody's."""
    presentable = bool(key) and key.isascii() and key.isprintable()
    return (("authorization", f"Bearer {key}"),) if presentable else ()
