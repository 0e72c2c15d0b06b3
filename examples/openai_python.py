"""OpenAI's own client, unmodified: a whole answer, a stream, and an error.

API_BASE is where the gateway is, OPENAI_API_KEY a key where it asks for one.
"""

import base64
import os
import sys
from pathlib import Path

import openai

picture = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sample-receipt.png")
api = os.environ.get("API_BASE", "http://127.0.0.1:8000")
client = openai.OpenAI(base_url=f"{api}/v1", api_key=os.environ.get("OPENAI_API_KEY", "none"))

url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
content = [{"type": "text", "text": "Free OCR."}, {"type": "image_url", "image_url": {"url": url}}]
messages = [{"role": "user", "content": content}]

# The whole text at once. What OpenAI has no field for stands under `ocr`: engine, lines, boxes ...
answer = client.chat.completions.create(model="auto", messages=messages)
print(answer.choices[0].message.content)
page = answer.ocr["pages"][0]
lines = [line for block in page["blocks"] for line in block["lines"]]
print(f"\n{len(lines)} lines on {page['width']} x {page['height']} pixels, read by {answer.ocr['engine']}\n")

# Line by line as it is recognised. Our own options go through extra_body.
stream = client.chat.completions.create(
    model="auto",
    messages=messages,
    stream=True,
    stream_options={"include_usage": True},
    extra_body={"task_type": "markdown"},
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    if chunk.usage:
        print(f"\n\n{chunk.usage.completion_tokens} tokens\n")

# Errors carry a code for programs and a request id for the logs.
try:
    client.chat.completions.create(model="no-such-model", messages=messages)
except openai.NotFoundError as error:
    print(f"{error.code}: {error.body['message']} (request {error.request_id})")
