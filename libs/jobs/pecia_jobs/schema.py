"""The tables. Times are seconds since 1970 by the database's clock; states are the words of `model`.

`page_ready` is the queue: a few narrow columns beside the wide `page`, so that what comes and goes all the
time is small. A page has a row there exactly while its state is `ready`. `tenant.running` counts the pages
of a tenant whose state is `leased`; it changes in the transaction that changes them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()


def _partly(name: str, *columns: str, where: str) -> Index:
    """An index of only some rows, on both databases."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


# SQLite counts rows by itself only where the key is a plain INTEGER.
_ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
_ZERO, _EMPTY, _NO = text("0"), text("''"), text("false")
# Rows that are changed all the time get room to be changed in place, and are cleaned by number, not by share.
BUSY = {
    "fillfactor": 50,
    "autovacuum_vacuum_scale_factor": 0.0,
    "autovacuum_vacuum_threshold": 1000,
    "autovacuum_vacuum_cost_delay": 0,
    "autovacuum_analyze_scale_factor": 0.0,
    "autovacuum_analyze_threshold": 10000,
}

tenant = Table(
    "tenant",
    metadata,
    Column("id", Text, primary_key=True),
    Column("max_running", Integer),  # pages at once; NULL = what the workers are set to
    Column("weight", Double, nullable=False, server_default=text("1")),
    Column("running", Integer, nullable=False, server_default=_ZERO),
    Column("active", Boolean, nullable=False, server_default=_NO),  # may have rows in page_ready
    # The round each priority has come to: new jobs join in the next one.
    Column("round_priority", BigInteger, nullable=False, server_default=_ZERO),
    Column("round_default", BigInteger, nullable=False, server_default=_ZERO),
    Column("round_flex", BigInteger, nullable=False, server_default=_ZERO),
    postgresql_with=BUSY,
)

job = Table(
    "job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("input_key", Text, nullable=False),
    Column("input_sha256", Text, nullable=False),
    Column("input_bytes", BigInteger, nullable=False),
    Column("document_pages", Integer, nullable=False),
    Column("options", Text, nullable=False),  # JSON of model.JobOptions
    Column("priority", SmallInteger, nullable=False),  # 0 first
    Column("pages_total", Integer, nullable=False),
    Column("pages_done", Integer, nullable=False, server_default=_ZERO),
    Column("pages_failed", Integer, nullable=False, server_default=_ZERO),
    Column("bytes_stored", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False, server_default=text("1")),
    Column("created", Double, nullable=False),
    Column("not_before", Double),
    Column("started", Double),
    Column("finished", Double),
    Column("error", Text, nullable=False, server_default=_EMPTY),
    Column("idempotency_key", Text),  # NULL = none
    Column("idempotency_digest", Text, nullable=False),
    Column("webhook_url", Text, nullable=False),
    Column("notices", Text, nullable=False),  # kinds of deliveries at the end, with commas
    Column("password", Text),  # NULL once the job has ended
    Column("locked", Boolean, nullable=False, server_default=_NO),  # came with a password
    Column("reference", Text, nullable=False),
    Column("endings", Integer, nullable=False, server_default=_ZERO),  # how often it came to an end
    UniqueConstraint("tenant", "idempotency_key", name="job_idempotency"),
    Index("job_listed", "tenant", "created", "id"),
    _partly("job_live", "state", where="finished IS NULL"),
    _partly("job_ended", "finished", where="finished IS NOT NULL"),
    postgresql_with={"fillfactor": 70},
)

page = Table(
    "page",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("job_id", Text, ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=_ZERO),
    Column("due", Double),  # end of the lease, or the next try; NULL = nothing to wait for
    Column("worker", Text, nullable=False, server_default=_EMPTY),
    Column("lease_token", Text),  # of the last lease, kept when it ends: who repeats himself is recognised
    Column("seq", BigInteger, nullable=False, server_default=_ZERO),
    Column("source", Text),
    Column("engine", Text, nullable=False, server_default=_EMPTY),
    Column("fallback_from", Text, nullable=False, server_default=_EMPTY),
    Column("confidence", Double),
    Column("result_key", Text, nullable=False, server_default=_EMPTY),
    Column("result_sha256", Text, nullable=False, server_default=_EMPTY),
    Column("result_bytes", BigInteger, nullable=False, server_default=_ZERO),
    Column("finished", Double),
    Column("error_code", Text, nullable=False, server_default=_EMPTY),
    Column("error", Text, nullable=False, server_default=_EMPTY),
    UniqueConstraint("job_id", "number", name="page_number"),
    _partly("page_due", "due", where="due IS NOT NULL"),
    _partly("page_seq", "job_id", "seq", where="seq > 0"),
    postgresql_with={"fillfactor": 80},
)

page_ready = Table(
    "page_ready",
    metadata,
    Column("page_id", _ROW_ID, primary_key=True, autoincrement=False),
    Column("tenant", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("since", Double),  # when it came into the queue; NULL = a release ago
    Index("page_ready_order", "tenant", "priority", "rank", "number"),
    postgresql_with={key: value for key, value in BUSY.items() if key != "fillfactor"},
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),  # pending, delivered, undeliverable
    Column("attempts", Integer, nullable=False, server_default=_ZERO),
    Column("due", Double),  # the next try, or the end of the lease; NULL = none
    Column("lease_token", Text),
    Column("last_status", Integer),
    Column("error", Text, nullable=False, server_default=_EMPTY),
    Column("created", Double, nullable=False),
    Column("delivered", Double),
    _partly("outbox_due", "due", where="due IS NOT NULL"),
    Index("outbox_job", "job_id"),
    _partly("outbox_lost", "status", where="status = 'undeliverable'"),
)

# Blobs of forgotten jobs, until somebody has really deleted them.
trash = Table(
    "trash",
    metadata,
    Column("prefix", Text, primary_key=True),
    Column("once", Boolean, nullable=False, server_default=_NO),  # emptied, and to be looked at again
    Column("due", Double, nullable=False),
)

# One a job at most. It outlives the job: an answer may come when the job is forgotten, for so long as
# `retention` has it.
review = Table(
    "review",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job_id", Text, nullable=False, unique=True),
    Column("tenant", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("score", Double),  # 0 to 100; NULL = not known
    Column("status", Text, nullable=False),  # pending, approved, rejected
    Column("notes", Text, nullable=False, server_default=_EMPTY),
    Column("created", Double, nullable=False),
    Column("decided", Double),
)

# API keys, by the id that is part of them; their owners are in the keys file.
key_use = Table(
    "key_use",
    metadata,
    Column("id", Text, primary_key=True),
    Column("used", Double, nullable=False),
)
