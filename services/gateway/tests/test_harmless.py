"""What a browser may do with what the gateway says: save it and show it, never run it."""

from typing import Any

import pytest
from pecia_gateway.jobs.looking import attachment

PATHS = ["/v1/models", "/health", "/metrics", "/openapi.json", "/nowhere", "/v1/jobs"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_says_that_nothing_in_it_runs(gateway: Any, path: str) -> None:
    """Refusals and the monitors' pages among them."""
    answer = await gateway.client.get(path, headers={"origin": "https://elsewhere.test"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_the_page_at_docs_runs_only_its_own_scripts(gateway: Any) -> None:
    """From this server, and the one in the page by its hash; behind a prefix as well."""
    for prefix in ("", "/ocr"):
        gateway.app.root_path = prefix
        policy = (await gateway.client.get("/docs")).headers["content-security-policy"]
        scripts = next(rule for rule in policy.split("; ") if rule.startswith("script-src"))
        assert "unsafe" not in scripts
        assert scripts.count("'sha256-") == 1
        assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("Überweisung März.pdf", "%C3%9Cberweisung%20M%C3%A4rz.md"),
        ("../../etc/passwd.pdf", "etc_passwd.md"),
        ("a/b\\c:d.pdf", "a_b_c_d.md"),
        ('"; filename="evil.html', "%3B%20filename%3D_evil.md"),
        ("a\r\nSet-Cookie: x=y.pdf", "a_Set-Cookie_%20x%3Dy.md"),
        ("invoice\u202efdp.exe", "invoice_fdp.md"),
        (".htaccess", "htaccess.md"),
        ("...", "result.md"),
        ("", "result.md"),
        ("x" * 300 + ".pdf", "x" * 100 + ".md"),
    ],
)
def test_a_file_is_named_after_its_document_and_nothing_else(filename: str, name: str) -> None:
    """No folders, no second header, nothing that reads backwards; the ending is ours."""
    assert attachment(filename, "md") == f"attachment; filename=\"result.md\"; filename*=UTF-8''{name}"
