"""Pages by lease: taken, kept, given back and ended. Whose token is no longer on the page changes nothing."""

from collections.abc import Iterable, Sequence
from functools import partial

from sqlalchemy import ColumnElement, Select, Update, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import claiming, outcomes
from pecia_jobs.claiming import Claim
from pecia_jobs.database import Database
from pecia_jobs.expressions import Now, page_id_of
from pecia_jobs.model import ASSEMBLY, JobState, Lease, PageResult, PageState
from pecia_jobs.outcomes import Failure
from pecia_jobs.schema import page
from pecia_jobs.sweeping import Sweeper, Swept

__all__ = ["Leases", "Swept"]

UNLIMITED = 2**31 - 1
# Times a claim looks again where others were quicker, before it says that there is nothing.
_MISSES = 3


class Leases:
    """The workers' side of the queue."""

    def __init__(
        self,
        database: Database,
        lease_s: float = 30.0,
        max_attempts: int = 5,
        tenant_max_running: int = UNLIMITED,
    ) -> None:
        """Lease from `database`.

        Args:
            database: migrated.
            lease_s: seconds after which a page whose worker says nothing goes to others.
            max_attempts: tries of a page before it has failed.
            tenant_max_running: pages at once of a tenant for whom `Store.set_tenant` says nothing else.
        """
        self.lease_s = lease_s
        self._database = database
        self._max_attempts = max_attempts
        self._unset = tenant_max_running
        self._sweeper = Sweeper(database, max_attempts)

    async def claim(self, worker: str, n: int) -> list[Lease]:
        """At most `n` pages, leased to `worker`; fewer or none where no more are due or may run."""
        leases: list[Lease] = []
        misses = 0
        while len(leases) < n and misses < _MISSES:
            claim = Claim(worker, n - len(leases), self.lease_s, self._unset)
            found = await claiming.claimed(self._database, claim)
            if found is None:
                break
            misses += not found
            leases += [Lease(*row[:5]) for row in found]
            if queued := {row.job_id for row in found if row.job_state == JobState.QUEUED}:
                await self._database.changing(partial(outcomes.start, job_ids=queued))
        return leases

    async def beat(self, worker: str, tokens: Iterable[str]) -> set[str]:
        """Renew the leases of exactly these tokens; gives those that still hold. `worker` is remembered."""
        if not (sent := _ours(tokens)):
            return set()
        chosen = (
            select(page.c.id)
            .where(*_still(sent))
            .order_by(page.c.id)
            .with_for_update()
            .cte("chosen")
            .prefix_with("MATERIALIZED", dialect="postgresql")
        )
        renewed = (
            update(page)
            .where(page.c.id.in_(select(chosen.c.id)))
            .values(due=Now() + self.lease_s, worker=worker)
            .returning(page.c.lease_token)
        )
        return await self._database.changing(lambda connection: _tokens(connection, renewed))

    async def held(self, tokens: Iterable[str]) -> set[str]:
        """Which of these leases still hold; nothing is renewed."""
        if not (sent := _ours(tokens)):
            return set()
        query = select(page.c.lease_token).where(*_still(sent))
        return await self._database.reading(lambda connection: _tokens(connection, query))

    async def record(self, results: Sequence[PageResult]) -> set[str]:
        """Pages that are done. Gives the tokens recorded, now or before; the others lost their lease."""
        if not results:
            return set()
        if any(result.lease.number == ASSEMBLY for result in results):
            raise ValueError("the end of a job is told with finish")
        return await self._database.changing(lambda connection: outcomes.record(connection, results))

    async def fail(
        self, lease: Lease, code: str, message: str, *, permanent: bool, retry_after: float | None = None
    ) -> PageState | None:
        """A page that could not be done: `waiting` for its next try, or `failed`. None = the lease was lost.

        Args:
            lease: of the page.
            code: for programs, a word of `pecia_core.errors.ERROR_CODES`.
            message: for people; shown to the owner.
            permanent: no other try can help.
            retry_after: seconds until the next try; None = longer with every attempt.
        """
        failure = Failure(code, message, permanent, retry_after)
        return await self._database.changing(
            lambda connection: outcomes.fail(connection, lease, failure, self._max_attempts)
        )

    async def release(self, tokens: Iterable[str], wait_s: float | None = None) -> None:
        """Give pages back that cannot be ended here: no attempt counts.

        Others may take them in `wait_s` seconds; None = at once.
        """
        if sent := _ours(tokens):
            await self._database.changing(lambda connection: outcomes.release(connection, sent, wait_s))

    async def finish(self, lease: Lease, state: JobState, *, stored: int = 0, error: str = "") -> bool:
        """The end of a job whose assembly was leased. False = the lease was lost: nothing happened.

        Args:
            lease: of page 0.
            state: done (partial where pages have failed), partial or failed.
            stored: bytes of the results that were written.
            error: for the owner, where it failed.
        """
        if not state.terminal or lease.number != ASSEMBLY:
            raise ValueError("only the assembly task ends a job, and in a state that is an end")
        return await self._database.changing(
            lambda connection: outcomes.finish(connection, lease, state, stored, error)
        )

    async def sweep(self) -> Swept:
        """Do what is due for everybody: lapsed leases, retries, jobs whose time has come. Any worker may."""
        return await self._sweeper.sweep()


def _ours(tokens: Iterable[str]) -> set[str]:
    """What is no token of ours is left out."""
    return {token for token in tokens if page_id_of(token)}


def _still(sent: set[str]) -> tuple[ColumnElement[bool], ...]:
    ids = {page_id_of(token) for token in sent}
    return page.c.id.in_(ids), page.c.lease_token.in_(sent), page.c.state == PageState.LEASED


async def _tokens(connection: AsyncConnection, statement: Select[tuple[str | None]] | Update) -> set[str]:
    return {str(row[0]) for row in await connection.execute(statement)}
