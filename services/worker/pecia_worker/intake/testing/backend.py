"""A backend as the one whose queue this is: it pushes ids, listens, and keeps a table of documents."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from pecia_jobs.testing import PostgresServer
from redis.asyncio import Redis

QUEUE, PROCESSING = "filot:ocr:gpu:queue", "filot:ocr:gpu:processing"
ATTEMPTS, CHANNEL = "filot:ocr:gpu:attempts", "filot:ocr:gpu:results"
# Remembers every status a row was given.
COUNTING = (
    "CREATE TABLE changes (number bigserial, id uuid, status text)",
    """CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       INSERT INTO changes (id, status) VALUES (NEW.id, NEW.status); RETURN NEW; END $$""",
    "CREATE TRIGGER changed AFTER UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION changed()",
)


@dataclass
class Backend:
    """Pushes ids and listens, as the backend whose queue this is does: nothing here is one step."""

    redis: "Redis"
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def push(self, document_id: str, pause_s: float = 0.0) -> bool:
        """Put an id into the list, unless it is there or being worked on; False = it is.

        The count is reset after the push: a worker may have the id already by then.
        """
        queued = await self.redis.lpos(QUEUE, document_id)
        if queued is not None or await self.redis.sismember(PROCESSING, document_id):
            return False
        await self.redis.rpush(QUEUE, document_id)
        await asyncio.sleep(pause_s)
        await self.redis.hset(ATTEMPTS, document_id, "0")
        return True

    async def listen(self) -> None:
        """Remember what is published."""
        async with self.redis.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            async for message in channel.listen():
                if message["type"] == "message":
                    self.heard.append(json.loads(message["data"]))

    def heard_of(self, document_id: str) -> list[dict[str, Any]]:
        """What was published of one."""
        return [message for message in self.heard if message["documentId"] == document_id]

    async def left(self) -> dict[str, Any]:
        """What is in Redis still, by kind."""
        return {
            "queue": await self.redis.lrange(QUEUE, 0, -1),
            "processing": await self.redis.smembers(PROCESSING),
            "stamps": await self.redis.hgetall(f"{PROCESSING}:timestamps"),
            "pushes": await self.redis.hgetall(f"{PROCESSING}:pushes"),
            "dead": await self.redis.lrange("filot:ocr:gpu:dead", 0, -1),
        }


@dataclass
class Table:
    """The backend's `documents`, and how often a row of it was given a status."""

    server: PostgresServer
    database: str
    url: str

    async def execute(self, statement: str) -> None:
        """Run one statement."""
        await self.server.execute(statement, self.database)

    async def add(self, file_url: str = "", **columns: str) -> str:
        """A new row; gives its id."""
        document_id = str(uuid.uuid4())
        values = {"id": document_id, "type": "KTP", "file_url": file_url} | columns
        texts = ", ".join("'" + value.replace("'", "''") + "'" for value in values.values())
        await self.execute(f"INSERT INTO documents ({', '.join(values)}) VALUES ({texts})")  # noqa: S608
        return document_id

    async def row(self, document_id: str) -> dict[str, Any]:
        """A row as it stands."""
        return (await self.rows(f"SELECT * FROM documents WHERE id = '{document_id}'"))[0]  # noqa: S608

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query finds."""
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def changes(self, document_id: str) -> list[str]:
        """The statuses a row was given, in order."""
        query = f"SELECT status FROM changes WHERE id = '{document_id}' ORDER BY number"  # noqa: S608
        return [row["status"] for row in await self.rows(query)]
