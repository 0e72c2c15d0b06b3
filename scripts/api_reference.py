"""Writes docs/API.md from the OpenAPI, the contract and the tables of errors: api_reference.py FILE."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pecia.ocr.v1 import ocr_pb2
from pecia_core.errors import ERROR_CODES, from_code
from pecia_gateway.app import create_app
from pecia_gateway.problems import response_of
from pecia_gateway.settings import Settings
from pecia_ocr.interceptors import STATUS

Json = Mapping[str, Any]
_INTRODUCTION = """# API

<!-- Made by `make docs` from the gateway's OpenAPI, the contract and the tables of errors; edit those. -->

The running gateway shows the same at `/docs`, where it can be tried, and as OpenAPI at `/openapi.json`.
[examples/](../examples) has programs to start from.

- **Keys.** With keys on, send `Authorization: Bearer KEY`. The addresses under "Health" need none.
- **Request ids.** Every answer, errors included, has an `x-request-id`; the logs know it. Send one of
  your own under the same name to have it used.
- **Limits.** With keys on, `x-ratelimit-limit-requests`, `-remaining-requests` and `-reset-requests`
  say what is left of a minute.
- **Streaming.** With `"stream": true` the answer is server-sent events: `data: {chunk}` for each piece
  of text, `: keep-alive` in silence, `data: [DONE]` at the end. All pieces joined are the whole text.
  With `"stream_options": {"include_usage": true}` the last chunk has `usage` and no choices. An error
  after the first byte is an event `data: {"error": {...}}`.
- **Extension.** What OpenAI has no field for stands under `ocr` in the answer (in the last chunk of a
  stream): engine, fallback, timings, warnings and pages.
"""
_ERRORS = """## Errors

One shape everywhere: `{"error": {"message", "type", "param", "code"}, "detail": message}`. Programs go by
`code`. "Again?" says whether a retry helps: the answer then has `Retry-After` (seconds) and
`x-should-retry: true`; clients of OpenAI obey both. Over gRPC the code is the `reason` of
`google.rpc.ErrorInfo` (domain `pecia.dev`), and `google.rpc.RetryInfo` holds the wait.

| code | HTTP | gRPC | again? | when | what to do |
|---|---|---|---|---|---|"""
_GRPC = """## gRPC

`pecia.ocr.v1.OcrService` reads one page image a call, or several as one document; the contract is
[ocr.proto](../protos/pecia/ocr/v1/ocr.proto) and [document.proto](../protos/pecia/ocr/v1/document.proto).
`grpc.health.v1` answers for `""` (alive), for the service and for each engine (ready); reflection
is on where `PECIA_GRPC__REFLECTION` says so.

| method | takes | gives |
|---|---|---|"""
# Code -> when it is sent, and what to do. A code without sentences here does not pass this page's test.
_SENTENCES = {
    "invalid_request": (
        "A field is missing, malformed or out of range.",
        "Correct the field `param` names.",
    ),
    "missing_required_parameter": (
        "A field that is needed is absent, such as `ref_text` for locate.",
        "Add it.",
    ),
    "unsupported_parameter": (
        "A field asks for what no OCR engine can do.",
        "Leave it out.",
    ),
    "unsupported_value": (
        "A field is known, its value is not, or no engine here can do it.",
        "The message names what can be done.",
    ),
    "invalid_base64_image": (
        "The data URL holds no base64.",
        "Encode the file's bytes, nothing else.",
    ),
    "invalid_image_url": (
        "The URL is of a kind or at an address that is not fetched.",
        "Send the bytes as a data URL, or allow the address (`PECIA_FETCH__...`).",
    ),
    "failed_to_download_image": (
        "The URL was asked and gave no picture.",
        "See whether it opens without a login; send the bytes.",
    ),
    "invalid_webhook_url": (
        "A webhook's URL is none, or of a kind or at an address that nothing is sent to.",
        "Name a public https address, or allow it (`PECIA_WEBHOOKS__...`).",
    ),
    "pdf_too_many_pages": (
        "The PDF or TIFF has more pages than are read within a request, or than a job may have.",
        "Send it to `/v1/jobs`; split what is too long for that.",
    ),
    "pages_not_together": ("gRPC: the model cannot read these as one document.", "Send each by itself."),
    "invalid_image": (
        "The picture is damaged or cut off.",
        "Send it again, whole.",
    ),
    "empty_image_file": ("The file has no bytes.", "Send one that has."),
    "invalid_pdf": (
        "The PDF is damaged.",
        "Open and save it in a PDF program.",
    ),
    "pdf_encrypted": (
        "The PDF needs a password, or another one.",
        "Send it in `password` of a job, or remove it.",
    ),
    "unsupported_image_media_type": (
        "The file is no picture or PDF, or not of the kind it claims to be.",
        "Send JPEG, PNG, WEBP, BMP, TIFF or PDF, named as what it is.",
    ),
    "unsupported_media_type": (
        "The request's body is of a kind this address does not take.",
        "Send the `Content-Type` listed above.",
    ),
    "image_file_too_large": (
        "The picture has more bytes than allowed.",
        "Save it as JPEG, or make it smaller.",
    ),
    "image_too_large": (
        "The picture has more pixels than allowed.",
        "Scale it down.",
    ),
    "request_too_large": (
        "The whole request has more bytes than allowed.",
        "Send fewer files at a time.",
    ),
    "invalid_api_key": (
        "No key, or one that is not known, has expired or was revoked.",
        "Send `Authorization: Bearer KEY`; `pecia keys create` makes one.",
    ),
    "invalid_assertion": ("A service's word on a tenant is not believed.", "See [identity](identity.md)."),
    "missing_scope_ocr": ("The key is not for reading pages.", "Ask for one with the scope `ocr`."),
    "missing_scope_jobs": ("The key is not for jobs.", "Ask for one with the scope `jobs`."),
    "missing_scope_admin": ("The key is no operator's.", "Ask for one with the scope `admin`."),
    "client_not_allowed": ("A service's certificate may not call.", "See `PECIA_TLS__CLIENT_NAMES`."),
    "invalid_signature": (
        "A callback is not signed with the secret shared for it.",
        "Sign its body as the page on reviews says.",
    ),
    "permission_denied": ("The key may not do this.", "Ask whoever runs the service."),
    "not_found": ("There is nothing at this address.", "See the addresses above."),
    "model_not_found": (
        "No engine answers to this name.",
        "Choose one the message lists, or `auto`.",
    ),
    "job_not_completed": (
        "The results of a job were asked for before it was completed.",
        "Wait for it, or add `partial=true`.",
    ),
    "job_page_not_ready": (
        "The page of a job has not been read yet, or could not be.",
        "See its `status`; wait, or read it again.",
    ),
    "job_page_not_drawable": (
        "A page is broken, takes too long to draw, or is too large to be shown.",
        "Look at its text.",
    ),
    "document_gone": ("A document was deleted, or its password is forgotten.", "Make a new job of it."),
    "job_finished": (
        "The job has ended, or there is nothing to do for what was asked.",
        "See its `status`.",
    ),
    "idempotency_conflict": (
        "The `Idempotency-Key` was used before, for another request.",
        "Use a new key for a new request.",
    ),
    "review_decided": ("It was decided before, otherwise.", "Nothing: the first decision counts."),
    "queue_full": (
        "No room in the queue, on any pod.",
        "Wait as told, then try again.",
    ),
    "rate_limit_exceeded": (
        "The key has used up its requests of this minute, or too many run at once.",
        "Wait as told; the `x-ratelimit-` headers help to pace.",
    ),
    "job_limit_reached": (
        "As many jobs are there as may be, and none of them has ended.",
        "Wait for one, or delete what is not needed.",
    ),
    "storage_full": (
        "The documents and results fill the space set aside for them, and no job that has ended can go.",
        "Delete jobs, or try again later.",
    ),
    "model_loading": (
        "The model is being loaded.",
        "Wait as told, then try again.",
    ),
    "engine_unavailable": (
        "No engine can be reached, or it broke while it read.",
        "Try again; if it lasts, see `/health`.",
    ),
    "draining": (
        "The service is about to stop.",
        "Try again: another pod will answer.",
    ),
    "store_unavailable": (
        "The database, or the store of documents and results, cannot be reached.",
        "Wait as told, then try again; everything but jobs works meanwhile.",
    ),
    "webhook_unreachable": (
        "The receiver of a webhook gave no answer in time.",
        "Nothing: it is tried again; see the job's deliveries.",
    ),
    "webhooks_off": (
        "There is no key to sign webhooks with.",
        "Ask whoever runs the service to set `PECIA_WEBHOOKS__SIGNING_KEYS`.",
    ),
    "inference_timeout": (
        "The page took longer than the caller or the service allows.",
        "Give it more time, or send a smaller picture.",
    ),
    "cancelled": ("The caller went away.", "Nothing."),
    "gpu_out_of_memory": (
        "The page does not fit into the GPU's memory, even at the smallest size.",
        "Send a smaller picture, or choose a CPU engine.",
    ),
    "server_error": ("Something broke inside.", "Report it with the request id."),
}


def document() -> str:
    """The whole page."""
    openapi = create_app(Settings()).openapi()
    parts = [_INTRODUCTION, *_operations(openapi), "## Bodies\n", *_schemas(openapi)]
    return "\n".join([*parts, _ERRORS, *_errors(), "", _GRPC, *_methods(), ""])


def _operations(openapi: Json) -> Iterator[str]:
    group = ""
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            if operation["tags"][0] != group:
                group = operation["tags"][0]
                yield f"## {group}\n"
            yield f"### `{method.upper()} {path}`\n"
            yield f"{operation['summary']}. {operation.get('description', '')}\n"
            yield from _bodies(operation)


def _bodies(operation: Json) -> Iterator[str]:
    sent = operation.get("requestBody", {}).get("content", {})
    for kind, content in sent.items():
        yield f"- takes `{kind}`: {_type(content['schema'])}"
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items() if status == "200" else ():
            if kind != "text/event-stream":
                yield f"- gives `{kind}`: {_type(content.get('schema', {}))}"
    refusals = ", ".join(status for status in operation["responses"] if status >= "400")
    yield f"- refuses with {refusals}\n"


def _schemas(openapi: Json) -> Iterator[str]:
    for name, schema in sorted(openapi["components"]["schemas"].items()):
        yield f"### {name}\n"
        yield f"{_line(schema.get('description', ''))}\n"
        yield "| field | type | what |\n|---|---|---|"
        required = schema.get("required", ())
        for field, about in schema.get("properties", {}).items():
            needed = " (required)" if field in required else ""
            yield f"| `{field}` | {_type(about)}{needed} | {_line(about.get('description', ''))} |"
        yield ""


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            kinds = [_type(kind) for kind in schema[choice] if kind.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return str(schema.get("type", "anything"))


def _errors() -> Iterator[str]:
    for code, kind in ERROR_CODES.items():
        error = from_code(code, "")
        answer = response_of(error)
        again = f"yes, after {answer.headers['retry-after']} s or more" if error.retryable else "no"
        when, then = _SENTENCES[code]
        yield f"| `{code}` | {answer.status_code} | {STATUS[kind].name} | {again} | {when} | {then} |"


def _methods() -> Iterator[str]:
    for method in ocr_pb2.DESCRIPTOR.services_by_name["OcrService"].methods:
        stream = "stream of " if method.server_streaming else ""
        yield f"| `{method.name}` | `{method.input_type.name}` | {stream}`{method.output_type.name}` |"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
