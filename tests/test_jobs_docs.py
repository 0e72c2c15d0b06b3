"""The examples of the pages about jobs, run as they stand against a gateway whose jobs end by themselves."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pecia_client.testing import Answer, Asked, FakeGateway, fake_gateway
from pecia_client.testing.jobs import ScriptedJobs

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = [
    pytest.param(page, language, block, id=f"{page}-{language}-{number}")
    for page in ("jobs.md", "migration-from-sync.md")
    for number, (language, block) in enumerate(
        re.findall(r"(?ms)^```(python|bash)\n(.*?)^```", (DOCS / page).read_text()), start=1
    )
    if "pecia jobs" not in block and "/health" not in block
]


@pytest.fixture
def gateway() -> Iterator[tuple[FakeGateway, str]]:
    """A gateway that reads every page of a job as soon as it is made; and the id of one that is there."""
    jobs = ScriptedJobs()

    def finish(job_id: str) -> None:
        for number in (1, 2, 3):
            jobs.done(job_id, number)

    def answer(asked: Asked) -> Answer:
        if asked.path == "/ocr/pdf":
            return Answer.of({"results": "Text of page 1"})
        told = jobs.answer(asked)
        if asked.method == "POST" and told.body.startswith(b'{"success"'):
            threading.Timer(0.2, finish, [list(jobs.jobs)[-1]]).start()
        return told

    with fake_gateway() as fake:
        fake.answer = answer
        job_id = jobs.add(pages=7)
        for number in (1, 2, 3, 4, 5, 6, 7):
            jobs.done(job_id, number)
        yield fake, job_id


@pytest.mark.parametrize(("page", "language", "block"), EXAMPLES)
def test_an_example_runs(
    gateway: tuple[FakeGateway, str], tmp_path: Path, page: str, language: str, block: str
) -> None:
    """Copied from the page, with the address of this gateway: it ends well and says something."""
    fake, job_id = gateway
    for name in ("document.pdf", "thesis.pdf"):
        (tmp_path / name).write_bytes(b"%PDF-1.7")
    code = re.sub(r"http://(localhost|127\.0\.0\.1):8000", fake.url, block)
    command = (
        [sys.executable, "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", code]
    )
    environment = os.environ | {"ID": job_id, "JOB_ID": job_id}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert fake.asked
    assert '"error": {' not in done.stdout
    assert done.stdout or list(tmp_path.glob("*.md"))


def test_the_pages_have_examples() -> None:
    """Of both languages on both pages."""
    assert {(one.values[0], one.values[1]) for one in EXAMPLES} == {
        (page, language) for page in ("jobs.md", "migration-from-sync.md") for language in ("python", "bash")
    }
