"""LangChain's ChatOpenAI, unmodified: a picture in, its text out, whole and streamed.

API_BASE is where the gateway is, OPENAI_API_KEY a key where it asks for one.
"""

import base64
import os
import sys
from pathlib import Path

from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

picture = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("sample-receipt.png")
api = os.environ.get("API_BASE", "http://127.0.0.1:8000")
chat = ChatOpenAI(
    model="auto",
    base_url=f"{api}/v1",
    api_key=os.environ.get("OPENAI_API_KEY", "none"),
    extra_body={"task_type": "free_ocr"},
)

url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
question = HumanMessage([{"type": "image_url", "image_url": {"url": url}}])

print(chat.invoke([question]).content)
print("\nand line by line:\n")
for chunk in chat.stream([question]):
    print(chunk.content, end="", flush=True)
print()
