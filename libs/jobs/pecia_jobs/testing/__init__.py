"""For tests: real databases, jobs to put in, and a look whether everything still fits together."""

from pecia_jobs.testing.audit import audit
from pecia_jobs.testing.samples import result_of, sample_job
from pecia_jobs.testing.server import NoPostgres, PostgresServer, postgres, sqlite_url

__all__ = [
    "NoPostgres",
    "PostgresServer",
    "audit",
    "postgres",
    "result_of",
    "sample_job",
    "sqlite_url",
]
