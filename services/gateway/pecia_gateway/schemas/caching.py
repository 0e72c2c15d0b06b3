"""How kept results are asked for and told of, in the OpenAPI document."""

from typing import Any

ASKING: dict[str, Any] = {
    "parameters": [
        {
            "name": "Cache-Control",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "examples": ["no-cache"]},
            "description": "`no-cache`: read every page now, although its result is kept. "
            "`no-store`: the same, and keep no result of it.",
        }
    ]
}
TELLING: dict[str, Any] = {
    "headers": {
        "x-ocr-cache": {
            "schema": {"type": "string", "enum": ["hit", "miss"]},
            "description": "`hit`: every page is from a result that was kept, nothing was read. "
            "A stream of several pages says `miss`, and `ocr.cached` at its end says how it was.",
        }
    }
}
