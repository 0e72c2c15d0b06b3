"""The REST API of jobs against a model of it: two tenants and a worker, in any order; never a 5xx."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pecia_core.errors import ERROR_CODES
from pecia_core.keys import KeyWish, make_key, snippet_of
from pecia_dispatch.testing import ScriptedOcr
from pecia_jobs.blobs import open_blobs
from pecia_jobs.database import Database
from pecia_jobs.settings import BlobSettings
from pecia_jobs.testing import sqlite_url

T = TypeVar("T")
MOST_PAIRS = 2_000
TENANTS = st.sampled_from([0, 1])
PICK = st.integers(0, 1 << 16)
NAMES = ["a.pdf", "..", "=1+1.pdf", "\u202egpj.pdf", "a" * 300 + ".pdf", "C:\\x\\b.pdf", "%2e%2e%2f.pdf"]
LOOKS = [
    "",
    "/pages",
    "/pages/1",
    "/pages/99",
    "/download?partial=true",
    "/download?format=json",
    "/download?format=csv&partial=true",
    "/metadata",
    "/deliveries",
]
ACTS = [
    ("POST", "/cancel"),
    ("POST", "/resume"),
    ("DELETE", ""),
    ("POST", "/pages/1/rerun"),
    ("POST", "/pages/99/rerun"),
    ("POST", "/deliveries/x/replay"),
]
AGAIN = {"/resume", "/pages/1/rerun"}
ENDED = {"completed", "failed", "cancelled"}
JUNK = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ASKED = st.sampled_from(["limit", "cursor", "status", "format", "partial", "after"])
QUERIES = st.dictionaries(ASKED, JUNK | st.integers().map(str))


@dataclass
class Known:
    """A job as its owner knows it."""

    owner: int
    pages: int
    ended: str = ""


class House:
    """A gateway with many pairs of tenants, and a worker that reads without an engine."""

    def __init__(self, runner: asyncio.Runner, gateway: Any, worker: Any, pairs: list[Any]) -> None:
        self._runner, self._pairs = runner, itertools.cycle(pairs)
        self.client = gateway.client
        self.worker = worker
        self.documents: dict[int, bytes] = {}

    def run(self, work: Awaitable[T]) -> T:
        """Wait for it; the gateway goes on meanwhile."""

        async def done() -> T:
            return await work

        return self._runner.run(done())

    def pair(self) -> Any:
        """The headers of two tenants."""
        return next(self._pairs)


class Machine(RuleBasedStateMachine):
    """What the model knows: whose jobs there are, and how they ended."""

    house: House

    def __init__(self) -> None:
        super().__init__()
        self.headers = self.house.pair()
        self.jobs: dict[str, Known] = {}
        self.gone: list[str] = []
        self.keys: dict[tuple[int, str], tuple[object, str]] = {}

    def ask(self, tenant: int, method: str, path: str, **more: Any) -> Any:
        """Ask, and look at what holds of every answer."""
        headers = {**self.headers[tenant], **more.pop("headers", {})}
        answer = self.house.run(self.house.client.request(method, path, headers=headers, **more))
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert error["code"] in ERROR_CODES
            assert error["message"].endswith((".", "?", "!"))
        return answer

    def picked(self, pick: int) -> str:
        """A job of anybody's, a deleted one, or one that never was."""
        there = sorted([*self.jobs, *self.gone, "a.pdf_20251121_120000_0123abcd"])
        return there[pick % len(there)]

    def is_own(self, tenant: int, job: str) -> bool:
        """Whether it is this tenant's, and there."""
        return job in self.jobs and self.jobs[job].owner == tenant

    def check_foreign(self, tenant: int, method: str, path: str, answer: Any) -> None:
        """Somebody else's is not found, in the words of one that never was."""
        nobodys = self.ask(tenant, method, path)
        assert (answer.status_code, answer.json()) == (nobodys.status_code, nobodys.json())
        assert answer.status_code == 404

    @rule(
        tenant=TENANTS, pages=st.integers(1, 3), key=st.sampled_from(["", "k1"]), name=st.sampled_from(NAMES)
    )
    def create(self, tenant: int, pages: int, key: str, name: str) -> None:
        form = (pages, name)
        answer = self.ask(
            tenant,
            "POST",
            "/v1/jobs",
            files={"file": (name, self.house.documents[pages], "application/pdf")},
            headers={"idempotency-key": key} if key else {},
        )
        before, job = self.keys.get((tenant, key), (form, ""))
        if before != form:
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_conflict")
            return
        assert answer.status_code == 200, answer.text
        made = answer.json()["job_id"]
        if job:
            assert (made, answer.headers["x-idempotent-replay"]) == (job, "true")
            return
        assert made not in self.jobs
        assert made not in self.gone
        assert not any(sign in made for sign in "/\\%\u202e")
        self.jobs[made] = Known(tenant, pages)
        if key:
            self.keys[tenant, key] = (form, made)

    @rule(tenant=TENANTS, pick=PICK, path=st.sampled_from(LOOKS))
    def look(self, tenant: int, pick: int, path: str) -> None:
        job = self.picked(pick)
        answer = self.ask(tenant, "GET", f"/v1/jobs/{job}{path}")
        if not self.is_own(tenant, job):
            self.check_foreign(tenant, "GET", f"/v1/jobs/{job[:-8]}ffffffff{path}", answer)
            return
        assert answer.status_code in ({404, 409} if "99" in path else {200, 409}), answer.text

    @rule(tenant=TENANTS, pick=PICK, act=st.sampled_from(ACTS))
    def change(self, tenant: int, pick: int, act: tuple[str, str]) -> None:
        method, path = act
        job = self.picked(pick)
        answer = self.ask(tenant, method, f"/v1/jobs/{job}{path}")
        if not self.is_own(tenant, job):
            self.check_foreign(tenant, method, f"/v1/jobs/{job[:-8]}ffffffff{path}", answer)
            return
        assert answer.status_code in {200, 404, 409}, answer.text
        if answer.status_code == 200 and method == "DELETE" and answer.json()["message"] == "Job deleted":
            del self.jobs[job]
            self.gone.append(job)
            self.keys = {name: kept for name, kept in self.keys.items() if kept[1] != job}
        elif answer.status_code == 200 and path in AGAIN:
            self.jobs[job].ended = ""

    @rule(count=st.integers(1, 3), failing=st.sampled_from([(), (1,), (2,)]))
    def read(self, count: int, failing: tuple[int, ...]) -> None:
        self.house.run(self.house.worker.read(count, failing=failing))

    @rule()
    def finish(self) -> None:
        self.house.run(self.house.worker.finish())

    @rule(
        tenant=TENANTS,
        method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD"]),
        parts=st.lists(JUNK, max_size=3),
        query=QUERIES,
    )
    def scribble(self, tenant: int, method: str, parts: list[str], query: dict[str, str]) -> None:
        path = "/".join(["/v1/jobs", *(quote(part, safe="") for part in parts)])
        headers = self.headers[tenant]
        sent = self.house.client.request(method, path, headers=headers, params=query)
        answer = self.house.run(sent)
        assert answer.status_code < 500, f"{method} {path} {query}: {answer.text}"

    @invariant()
    def each_sees_its_own_and_they_make_sense(self) -> None:
        for tenant in (0, 1):
            listed = self.ask(tenant, "GET", "/v1/jobs", params={"limit": "1000"}).json()["jobs"]
            mine = {job for job, known in self.jobs.items() if known.owner == tenant}
            assert {one["job_id"] for one in listed} == mine
            for one in listed:
                self.check_sense(self.jobs[one["job_id"]], one)

    def check_sense(self, known: Known, said: dict[str, Any]) -> None:
        """Numbers fit together, and what has ended has."""
        done, failed = said["processed_pages"], len(said["failed_pages"])
        assert said["total_pages"] == known.pages
        assert done + failed <= known.pages
        assert 0 <= said["progress"] <= 100
        if known.ended:
            assert said["status"] == known.ended
        elif said["status"] in ENDED:
            known.ended = said["status"]
            assert said["status"] == "cancelled" or done + failed == known.pages
            assert (done > 0) or said["status"] != "completed"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_order_of_calls_breaks_it_or_shows_anothers(
    start_jobs: Any, new_worker: Callable[..., Any], pdf: Callable[[int], bytes], tmp_path: Path
) -> None:
    """Two tenants make, look at, cancel, delete and repeat; ids are guessed, addresses are scribbled."""
    made = [(make_key(KeyWish(f"ant{n}")), make_key(KeyWish(f"bee{n}"))) for n in range(_pairs())]
    text = "".join(snippet_of(record) for pair in made for _, record in pair)
    (tmp_path / "keys.toml").write_text(text.replace("requests_per_minute = 600", "requests_per_minute = 0"))
    pairs = [tuple({"authorization": f"Bearer {key}"} for key, _ in pair) for pair in made]
    url, place = sqlite_url(tmp_path), str(tmp_path / "blobs")
    groups = {
        "jobs": {"max_count": 100_000},
        "database": {"url": url},
        "blobs": {"url": place},
        "auth": {"keys_file": tmp_path / "keys.toml", "reload_s": 60},
    }

    async def begun(stack: AsyncExitStack) -> Any:
        gateway = await stack.enter_async_context(start_jobs(ScriptedOcr(), **groups))
        while (await gateway.client.get("/v1/jobs", headers=pairs[0][0])).status_code == 503:
            await asyncio.sleep(0.02)
        return gateway

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        gateway = runner.run(begun(stack))
        database = Database(url)
        worker = new_worker(database, open_blobs(BlobSettings(url=place)))

        class Here(Machine):
            house = House(runner, gateway, worker, pairs)

        Here.house.documents = {pages: pdf(pages) for pages in (1, 2, 3)}
        try:
            run_state_machine_as_test(Here, settings=_tried())
        finally:
            runner.run(database.close())
            runner.run(stack.aclose())


def _pairs() -> int:
    return min(MOST_PAIRS, _tried().max_examples + 1)


def _tried() -> settings:
    return settings(
        settings.get_profile(settings.get_current_profile_name()),
        max_examples=max(6, settings().max_examples // 20),
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
