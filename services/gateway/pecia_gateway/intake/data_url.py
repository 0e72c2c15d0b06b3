"""Files inside a URL: data:image/png;base64,...."""

import binascii
from urllib.parse import unquote

from pecia_core.errors import InvalidRequest, TooLarge
from pecia_core.upload import Upload

_BASE64_GROWTH = 4 / 3


def decode(url: str, *, max_bytes: int, param: str) -> Upload:
    """The file in a data URL; padding and the media type may be missing, white space is passed over.

    Some senders escape the base64 (%2B for +) as RFC 2397 lets them.

    Raises:
        InvalidRequest: no base64 in it, or broken base64.
        TooLarge: more bytes than allowed, seen before anything is decoded.
    """
    head, comma, payload = url.partition(",")
    declared = head[len("data:") :]
    if not comma or not declared.lower().endswith("base64"):
        raise InvalidRequest(
            "A data URL must look like data:image/png;base64,<data>.", code="invalid_image_url", param=param
        )
    if len(payload) > 2 * max_bytes * _BASE64_GROWTH:
        raise _too_large(max_bytes, param)
    data = _decoded(payload, param)
    if len(data) > max_bytes:
        raise _too_large(max_bytes, param)
    return Upload(data, declared.partition(";")[0].strip().lower())


def _decoded(payload: str, param: str) -> bytes:
    # Each step runs in C over the whole text: ten megabytes here must not hold up other requests.
    text = "".join((unquote(payload) if "%" in payload else payload).split()).rstrip("=")
    if "-" in text or "_" in text:
        text = text.replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64((text + "=" * (-len(text) % 4)).encode("ascii"), strict_mode=True)
    except ValueError as error:  # binascii.Error and UnicodeEncodeError are such
        raise InvalidRequest(
            "The base64 of the picture is broken: encode the file's bytes again.",
            code="invalid_base64_image",
            param=param,
        ) from error


def _too_large(max_bytes: int, param: str) -> TooLarge:
    return TooLarge(
        f"The picture has more than the {max_bytes:,} bytes allowed. Send it smaller, or as JPEG.",
        param=param,
    )
