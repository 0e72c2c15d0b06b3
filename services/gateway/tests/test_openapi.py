"""The OpenAPI document says what the gateway does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pecia_gateway.app import create_app
from pecia_gateway.settings import AuthSettings, Settings


def references(node: object) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def document(**groups: Any) -> dict[str, Any]:
    """The document of a gateway with these settings."""
    return create_app(Settings(**groups)).openapi()


def test_every_reference_leads_somewhere() -> None:
    """Request bodies are read by hand, so nobody but this test notices a schema that is missing."""
    made = document()
    schemas = made["components"]["schemas"]
    assert {"ChatCompletionRequest", "CompletionRequest", "OcrForm"} <= set(schemas)
    for reference in references(made):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_every_operation_says_what_may_go_wrong() -> None:
    """All refusals have the one shape; the framework's own is not announced."""
    made = document()
    for path, operations in made["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            assert "422" not in responses, path
            assert "500" in responses, path
            assert operation["summary"]
            assert operation["description"]
            # 304 is no refusal and has no body.
            for status in set(responses) - {"200", "304"} - ({"503"} if path == "/ready" else set()):
                schema = responses[status]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemBody"}, (path, status)


def test_keys_are_announced_only_where_they_are_asked_for(tmp_path: Path) -> None:
    """Probes stay open when the rest is locked."""
    assert "securitySchemes" not in document()["components"]
    made = document(auth=AuthSettings(keys_file=tmp_path / "keys.toml"))
    assert made["paths"]["/v1/ocr"]["post"]["security"] == [{"ApiKey": ["ocr"]}]
    assert "security" not in made["paths"]["/ready"]["get"]


async def test_docs_are_served(gateway: Any) -> None:
    """People read the same document, and nothing of the page comes from another host."""
    page = (await gateway.client.get("/docs")).text
    linked = re.findall(r"""(?:src|href)=["']([^"']+)|url: ["']([^"']+)""", page)
    urls = {source or target for source, target in linked}
    assert len(urls) == 4  # script, style, icon, document
    for url in urls:
        assert url.startswith("/")
        assert (await gateway.client.get(url)).status_code == 200
    assert "//cdn" not in page
    served = (await gateway.client.get("/openapi.json")).json()
    assert served["paths"].keys() == document()["paths"].keys()
