"""Files inside a URL: data:image/png;base64,...."""

import base64
import binascii
import re

from pecia_core.errors import InvalidRequest, TooLarge

from pecia_gateway.intake.upload import Upload

_WHITE_SPACE = re.compile(r"\s+")
_BASE64_GROWTH = 4 / 3


def decode(url: str, *, max_bytes: int, param: str) -> Upload:
    """The file in a data URL; padding and the media type may be missing, white space is passed over.

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
    data = _decoded(_WHITE_SPACE.sub("", payload), param)
    if len(data) > max_bytes:
        raise _too_large(max_bytes, param)
    return Upload(data, declared.partition(";")[0].strip().lower())


def _decoded(text: str, param: str) -> bytes:
    alphabet = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(alphabet + "=" * (-len(alphabet) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
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
