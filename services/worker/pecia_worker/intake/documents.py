"""The backend's table of documents: found by id, marked while it is read, and given its result."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pecia_core.errors import InvalidRequest
from pecia_jobs.database import Database
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_worker.intake.columns import as_id, fitted
from pecia_worker.intake.result import BY_HAND, REVIEW, DocumentResult
from pecia_worker.intake_settings import DocumentsSettings

# Settings that name columns which may be missing.
_OPTIONAL = ("type", "ocr_text", "result", "score", "decision", "verification", "processed_at")


@dataclass(frozen=True, slots=True)
class Document:
    """A row: where its file is, of which kind it says it is (empty = not known), and whether it was read."""

    file: str
    type: str
    completed: bool


class Documents:
    """Rows of a table that belongs to somebody else. Its columns' types are looked up, never changed."""

    def __init__(self, database: Database, settings: DocumentsSettings) -> None:
        """Nothing is asked yet."""
        self._database = database
        self._names = settings
        self._found: sa.Table | None = None

    async def find(self, document_id: str) -> Document | None:
        """The row; None = there is none.

        Raises:
            InvalidRequest: no row can have this id, or the table is not as the settings say.
        """
        table = await self._table()
        names = self._names
        kind = table.c[names.type] if names.type else sa.literal("")
        query = sa.select(table.c[names.file], table.c[names.status], kind)
        query = query.where(self._is(table, document_id))

        async def work(connection: AsyncConnection) -> Document | None:
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                return None
            file, status, of_type = row.values()
            return Document(
                str(file or ""), str(of_type or ""), completed=str(status) == names.status_completed
            )

        return await self._database.reading(work)

    async def begin(self, document_id: str) -> None:
        """Mark it as being read, unless it was read meanwhile."""
        await self._write(
            document_id, {self._names.status: self._names.status_processing}, (self._names.status_completed,)
        )

    async def end(self, result: DocumentResult, *, again: bool = False) -> bool:
        """Write the result. False = it had one already (or the row is gone), and nothing was changed.

        What was read once is not changed; a failure is written once, and a later success over it. `again`:
        pages were read again because somebody asked for it, so the result is written over the older one.
        """
        names = self._names
        ended = datetime.now(UTC) if result.ended is None else datetime.fromtimestamp(result.ended, UTC)
        values: dict[str, object] = {
            names.status: names.status_completed if result.success else names.status_failed,
            names.result: result.parsed if result.success else {"error": result.error},
            names.processed_at: ended,
        }
        if result.success:
            values |= {
                names.ocr_text: result.text,
                names.score: result.score,
                names.decision: result.decision,
                names.verification: result.outcome,
            }
        ends = (names.status_completed,) if result.success else (names.status_completed, names.status_failed)
        return await self._write(result.document_id, values, () if again else ends)

    async def decide(self, document_id: str, *, approved: bool) -> bool:
        """Write what people decided. False = nobody had been asked, or it was decided before."""
        name = self._names.verification
        if not name:
            return False
        table = await self._table()
        waiting = self._is(table, document_id) & (table.c[name] == REVIEW)
        return await self._change(sa.update(table).where(waiting).values({table.c[name]: BY_HAND[approved]}))

    async def check(self) -> None:
        """Look the table up. Raises InvalidRequest where it is not as the settings say."""
        await self._table()

    async def close(self) -> None:
        """Hang up."""
        await self._database.close()

    async def _write(self, document_id: str, values: dict[str, object], ends: tuple[str, ...]) -> bool:
        table = await self._table()
        status = table.c[self._names.status]
        change = (
            sa.update(table)
            .where(self._is(table, document_id))
            .where(
                sa.or_(status.is_(None), status.not_in(ends)),
            )
            .values({table.c[name]: fitted(value, table.c[name]) for name, value in values.items() if name})
        )
        return await self._change(change)

    async def _change(self, change: sa.Update) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(change)).rowcount > 0

        return await self._database.changing(work)

    def _is(self, table: sa.Table, document_id: str) -> "sa.ColumnElement[bool]":
        column = table.c[self._names.id]
        return column == as_id(document_id, column)

    async def _table(self) -> sa.Table:
        if self._found is None:

            async def work(connection: AsyncConnection) -> sa.Table:
                return await connection.run_sync(self._looked_up)

            self._found = await self._database.reading(work)
        return self._found

    def _looked_up(self, connection: sa.Connection) -> sa.Table:
        schema, _, name = self._names.table.rpartition(".")
        try:
            table = sa.Table(
                name, sa.MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False
            )
        except NoSuchTableError:
            raise _not_as_said(f"There is no table {self._names.table!r}") from None
        needed = {"id": self._names.id, "file": self._names.file, "status": self._names.status}
        named = needed | {field: name for field in _OPTIONAL if (name := getattr(self._names, field))}
        for field, column in named.items():
            if column not in table.c:
                raise _not_as_said(f"The table has no column {column!r} (PECIA_DOCUMENTS__{field.upper()})")
        self._check_words(table.c[self._names.status])
        return table

    def _check_words(self, status: "sa.Column[Any]") -> None:
        names = self._names
        words = {names.status_processing, names.status_completed, names.status_failed}
        if isinstance(status.type, sa.Enum) and (unknown := words - set(status.type.enums)):
            raise _not_as_said(f"The column {status.name!r} cannot be {', '.join(sorted(unknown))}")


def _not_as_said(what: str) -> InvalidRequest:
    return InvalidRequest(
        f"{what}: set PECIA_DOCUMENTS__TABLE and the names of its columns as docs/queue-intake.md says.",
        code="unsupported_value",
    )
