"""What a worker says of itself on its port, and how its settings are called."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pecia_core.vocabulary import EngineState
from pecia_dispatch.fleet import EngineOffer, Fleet
from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_jobs.database import Database
from pecia_wall import Bearing
from pecia_worker.main import Worker, World
from pecia_worker.room import offered
from pecia_worker.settings import Settings
from pecia_worker.testing import Owner, scanned, until, worker_process, working
from prometheus_client.parser import text_string_to_metric_families


@asynccontextmanager
async def asking(worker: Worker) -> AsyncIterator[httpx.AsyncClient]:
    """Its addresses, without a port."""
    transport = httpx.ASGITransport(worker.health.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as http:
        yield http


async def test_a_worker_at_work_is_healthy(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Alive, ready, healthy, and counting."""
    ocr.play = lambda _picture, _asked: Script(wait_s=2.0)
    job = await owner.submit(scanned(6), 6)
    async with working(settings, world) as worker, asking(worker) as http:
        await until(lambda: ocr.running)
        in_flight = (await http.get("/health")).json()["pages_in_flight"]
        await owner.until(job, lambda seen: seen.pages_done > 0)
        assert (await http.get("/live")).json() == {"status": "alive"}
        assert (await http.get("/ready")).json() == {"ready": True}
        health = (await http.get("/health")).json()
        assert (health["status"], health["database"], health["ocr_pods"]) == ("healthy", True, 1)
        assert (health["active_jobs"], health["queued_jobs"]) == (1, 0)
        assert in_flight > 0
        await owner.ended(job)
        metrics = (await http.get("/metrics")).text
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
    }
    assert samples["pecia_job_pages_total", "done", "ocr"] == 6
    assert samples["pecia_jobs_finished_total", "done"] == 1
    assert samples["pecia_render_seconds_count",] == 6
    assert samples["pecia_claim_seconds_count",] > 0
    assert all(name.startswith("pecia_") for name, *_ in samples)


async def test_before_it_begins_it_is_alive_but_not_ready(settings: Settings, world: World) -> None:
    """A worker whose database is away waits for it, and says so; probes do not kill it."""
    nowhere = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none", patience_s=0.1)
    held = Bearing(0, seccomp=True, no_new_privs=True)
    worker = Worker(settings, World(nowhere, world.blobs, world.client), held)
    task = asyncio.create_task(worker.run())
    async with asking(worker) as http:
        assert (await http.get("/live")).status_code == 200
        assert (await http.get("/ready")).status_code == 503
        health = await http.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "loading")
        walls = health.json()["walls"]
        assert (walls["landlock"], walls["seccomp"], len(walls["missing"])) == (0, True, 1)
        assert 'pecia_wall_missing{service="worker"} 1.0' in (await http.get("/metrics")).text
    worker.stop()
    await asyncio.wait_for(task, 30)
    await nowhere.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_container_check_works(settings: Settings, ocr: ScriptedOcr, tmp_path: Path) -> None:
    """`curl -f http://localhost:PORT/health` has exit status 0."""
    log = tmp_path / "log"
    async with worker_process(settings, log):
        async with asyncio.timeout(60):
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())):
                await asyncio.sleep(0.05)
        asked = await asyncio.create_subprocess_exec("curl", "-sf", f"http://localhost:{found[1]}/health")
        assert await asked.wait() == 0


def test_former_names_set_what_they_always_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names the former system's workers and jobs were set up with."""
    for name, value in {
        "MAX_CONCURRENCY": "3",
        "OCR_INFERENCE_TIMEOUT_S": "77",
        "MAX_JOB_STORAGE_MB": "10",
        "MAX_JOB_COUNT": "11",
        "MAX_JOB_AGE_HOURS": "12",
        "DATABASE_URL": "postgresql://there/jobs",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.worker.max_concurrency == 3
    assert settings.ocr.timeout_s == 77
    jobs = settings.jobs
    assert (jobs.max_storage_mb, jobs.max_count, jobs.max_age_hours) == (10, 11, 12)
    assert settings.database.place == "postgresql://there/jobs"
    assert settings.health.port == 8080


def test_without_a_number_the_ocr_service_says_how_many() -> None:
    """As many pages as it has slots, and half as many that are drawn and stored meanwhile."""

    def offer(slots: int, state: EngineState = EngineState.READY) -> Any:
        return EngineOffer(
            name="rapid",  # type: ignore[arg-type]
            models=(),
            revision="",
            state=state,
            reason="",
            tasks=(),
            sizes=(),
            languages=(),
            slots=slots,
        )

    assert offered(Fleet(engines=(offer(4), offer(1), offer(9, EngineState.LOADING)))) == 8
    assert offered(Fleet()) == 0
