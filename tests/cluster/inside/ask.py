"""Has a picture read by a model, as OpenAI's clients ask: both in JSON on standard input. Prints the text."""

import json
import sys
import urllib.request

_GATEWAY = "http://127.0.0.1:8000/v1/chat/completions"
_PATIENCE_S = 120


def main(model: str, picture: str) -> None:
    """Ask this pod's own gateway. `picture` is base64 of a PNG."""
    shown = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
    asked = {"model": model, "temperature": 0, "messages": [{"role": "user", "content": [shown]}]}
    headers = {"Content-Type": "application/json", "Cache-Control": "no-cache"}
    request = urllib.request.Request(_GATEWAY, json.dumps(asked).encode(), headers)
    with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310 - this pod's
        sys.stdout.write(json.load(answer)["choices"][0]["message"]["content"])


if __name__ == "__main__":
    main(**json.load(sys.stdin))
