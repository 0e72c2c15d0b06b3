"""Releases side by side: code that is behind its tables works on, and no step takes anything away."""

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pecia_jobs.migrations
import pytest
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job
from sqlalchemy import text

STEPS = sorted((Path(pecia_jobs.migrations.__file__).parent / "versions").glob("[a-z]*.py"))
# What leaves older code working: whoever does not know of it does not miss it.
ADDS = {"create_table", "create_index", "add_column", "batch_alter_table", "execute", "f"}
NEXT_RELEASE = (
    "ALTER TABLE job ADD COLUMN of_the_future TEXT",
    "ALTER TABLE page ADD COLUMN also_new TEXT DEFAULT ''",
    "CREATE TABLE of_tomorrow (id INTEGER PRIMARY KEY)",
    "UPDATE pecia_jobs_version SET version_num = '9999'",
)


async def test_old_code_works_on_with_newer_tables(empty_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A pod of the last release that starts after the upgrade: it says so, and reads a job."""
    upgraded = Database(empty_url)
    await upgraded.migrate()
    async with upgraded.write() as connection:
        for statement in NEXT_RELEASE:
            await connection.execute(text(statement))
    await upgraded.close()

    behind = Database(empty_url)
    with caplog.at_level(logging.WARNING):
        await behind.migrate()
    assert [record.message for record in caplog.records].count(
        "the tables are newer than this code, which works on with them"
    ) == 1
    store, leases = Store(behind), Leases(behind, lease_s=60.0, max_attempts=3)
    job, made = await store.create(sample_job(pages=2))
    assert made
    taken = await leases.claim("worker", 4)
    await leases.record([result_of(lease) for lease in taken])
    assert (await store.job(job.tenant, job.id)).state is JobState.FINALIZING
    await behind.close()


async def test_a_rollback_leaves_the_tables_as_they_are(empty_url: str) -> None:
    """Nothing of the newer release is lost by older code that starts; the newer one finds its place again."""
    database = Database(empty_url)
    await database.migrate()
    async with database.write() as connection:
        for statement in NEXT_RELEASE:
            await connection.execute(text(statement))
    await database.migrate()
    async with database.read() as connection:
        version = (await connection.execute(text("SELECT version_num FROM pecia_jobs_version"))).scalar_one()
        await connection.execute(text("SELECT of_the_future FROM job"))
    assert version == "9999"
    await database.close()


def _calls(step: Path, receiver: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(step.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == receiver:
                yield node


@pytest.mark.parametrize("step", STEPS, ids=[step.stem for step in STEPS])
def test_a_step_only_adds(step: Path) -> None:
    """Whoever takes a column away does it a release after nobody reads it any more, and says so here."""
    called = {call.func.attr for call in _calls(step, "op") if isinstance(call.func, ast.Attribute)}
    assert called
    assert called <= ADDS


def _is_new(step: Path) -> bool:
    return step.stem != "first_tables"


@pytest.mark.parametrize("step", [step for step in STEPS if _is_new(step)], ids=lambda step: step.stem)
def test_a_new_column_of_an_old_table_may_be_left_out(step: Path) -> None:
    """Older code does not fill it: it is nullable or has a default."""
    for call in _calls(step, "op"):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_column":
            said = {
                word.arg: word.value
                for part in call.args
                if isinstance(part, ast.Call)
                for word in part.keywords
            }
            nullable = said.get("nullable")
            assert "server_default" in said or (isinstance(nullable, ast.Constant) and nullable.value is True)
