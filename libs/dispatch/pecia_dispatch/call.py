"""On whose behalf a page is read, and how the ocr service is told."""

from dataclasses import dataclass, field
from urllib.parse import quote

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """On whose behalf, and how long the answer is waited for (seconds).

    `cache_control` is what the caller sent: whether a result that was kept may answer.
    """

    request_id: str
    tenant: str
    timeout_s: float
    bearer: str = field(default="", repr=False)
    cache_control: str = ""


def metadata_of(call: Call, own_key: str) -> Metadata:
    """What travels beside the request. The service's own key wins over the caller's: it is trusted."""
    return (
        *authorization(own_key or call.bearer),
        ("x-request-id", request_name(call)),
        ("x-pecia-tenant", quote(call.tenant)),
        *_cache_control(call.cache_control),
    )


def request_name(call: Call) -> str:
    """The request's id as metadata can carry it."""
    return quote(call.request_id, safe=":")


def _cache_control(said: str) -> Metadata:
    """The words of the header that mean something here: metadata cannot carry whatever callers send."""
    words = {word.strip().lower() for word in said.split(",")}
    meant = [word for word in ("no-cache", "no-store") if word in words]
    return (("cache-control", ", ".join(meant)),) if meant else ()


def authorization(key: str) -> Metadata:
    """The key, unless it holds what gRPC metadata cannot carry: such a key is nobody's."""
    presentable = bool(key) and key.isascii() and key.isprintable()
    return (("authorization", f"Bearer {key}"),) if presentable else ()
