"""Every address of jobs, with /v1 and without, and what the document says of them."""

from collections.abc import Callable
from typing import Any

import pytest
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings

GETS = ["", "/{id}", "/{id}/pages", "/{id}/pages/1", "/{id}/events", "/{id}/download", "/{id}/metadata"]
POSTS = ["", "/create", "/{id}/cancel", "/{id}/resume", "/{id}/pages/{number}/rerun"]


@pytest.mark.parametrize("prefix", ["/jobs", "/v1/jobs"])
async def test_both_names_answer_get_and_head(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes], prefix: str
) -> None:
    """The same status and type for each; a head has no body, and does not follow a job."""
    answer = await jobs.client.post(prefix, files={"file": ("a.pdf", pdf(1))})
    job = answer.json()["job_id"]
    await worker.finish()
    for path in GETS:
        url = prefix + path.replace("{id}", job)
        got, head = await jobs.client.get(url), await jobs.client.head(url)
        assert (got.status_code, head.status_code) == (200, 200), url
        assert head.headers["content-type"] == got.headers["content-type"]
        assert head.content == b""
        assert got.headers["x-request-id"]


def test_the_document_knows_every_address() -> None:
    """With /v1, each with its form or parameters, its models and what may go wrong; no name is used twice."""
    made = create_app(Settings()).openapi()
    paths = made["paths"]
    for path in GETS:
        assert "get" in paths["/v1/jobs" + path.replace("{id}", "{job_id}").replace("/1", "/{number}")]
    for path in POSTS:
        assert "post" in paths["/v1/jobs" + path.replace("{id}", "{job_id}")]
    assert "delete" in paths["/v1/jobs/{job_id}"]
    assert paths["/v1/ocr/pdf"]["post"]["deprecated"] is True
    names = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(set(names)) == len(names)
    assert {"JobForm", "JobView", "PageRead", "JobMetadata"} <= set(made["components"]["schemas"])
    form = paths["/v1/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form == {"$ref": "#/components/schemas/JobForm"}
