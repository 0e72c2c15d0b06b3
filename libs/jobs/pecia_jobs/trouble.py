"""Which troubles of a database pass by themselves: it is away, starting, full, or somebody was in the way."""

import sqlite3

import asyncpg
from sqlalchemy import exc

# SQLSTATE classes: connection, resources (full disk, too many connections), operator (shutdown, start).
_PASSING_CLASSES = ("08", "53", "57P")
# serialization_failure, deadlock_detected, lock_not_available, idle_in_transaction_session_timeout,
# query_canceled, which a timeout of the server looks like
_PASSING_STATES = {"40001", "40P01", "55P03", "25P03", "57014"}
_PASSING_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}


def passes(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is repeated later."""
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated or (error.orig is not None and _driver_passes(error.orig))
    return isinstance(error, exc.TimeoutError) or _driver_passes(error)


def _driver_passes(error: BaseException) -> bool:
    if isinstance(error, OSError | asyncpg.InterfaceError):
        return True
    if isinstance(error, sqlite3.Error):
        # The lower byte is the kind, the rest says more of it.
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING_SQLITE
    state = str(getattr(error, "sqlstate", None) or "")
    return state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES
