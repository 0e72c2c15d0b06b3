#!/usr/bin/env bash
# The REST API from a shell: models, lines with boxes, text, text as it is recognised.
#   API_BASE   where the gateway is (default: this machine)
#   API_KEY    a key, where the gateway asks for one
set -euo pipefail
cd "$(dirname "$0")"
api=${API_BASE:-http://127.0.0.1:8000}
picture=${1:-sample-receipt.png}
ask=(curl --silent --show-error --fail-with-body -H "Authorization: Bearer ${API_KEY:-none}")

echo "== What can read here =="
"${ask[@]}" "$api/v1/models"

printf '\n\n== Its lines, each with confidence and the four corners of its box ==\n'
"${ask[@]}" "$api/v1/ocr" -F "file=@$picture"

# A picture in a chat is a data URL; it goes through a file because it is long.
body=$(mktemp)
trap 'rm -f "$body"' EXIT
chat() {
    printf '{"model": "auto", "stream": %s, "messages": [{"role": "user", "content": [
        {"type": "text", "text": "Free OCR."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,%s"}}]}]}' \
        "$1" "$(base64 <"$picture" | tr -d '\n')" >"$body"
    "${ask[@]}" --no-buffer "$api/v1/chat/completions" -H 'Content-Type: application/json' -d "@$body"
}

printf '\n\n== Its text, as an OpenAI chat completion ==\n'
chat false

printf '\n\n== The same, line by line as it is recognised ==\n'
chat true
