"""What PostgreSQL and SQLite say differently: the time by the database, and a token nobody guesses."""

from typing import Any

from sqlalchemy import ColumnElement, Double, Text, cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Now(FunctionElement[float]):
    """Seconds since 1970 by the database's clock, which moves within a transaction too."""

    name = "now"
    type = Double()
    inherit_cache = True


class RandomHex(FunctionElement[str]):
    """32 hexadecimal digits, others for every row."""

    name = "random_hex"
    type = Text()
    inherit_cache = True


@compiles(Now, "postgresql")
def _now_postgresql(_element: Now, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    return "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"


@compiles(Now, "sqlite")
def _now_sqlite(_element: Now, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(RandomHex, "postgresql")
def _hex_postgresql(_element: RandomHex, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - as above
    return "replace(CAST(gen_random_uuid() AS text), '-', '')"


@compiles(RandomHex, "sqlite")
def _hex_sqlite(_element: RandomHex, _compiler: SQLCompiler, **_options: Any) -> str:  # noqa: ANN401 - as above
    return "lower(hex(randomblob(16)))"


def new_token(page_id: ColumnElement[int]) -> ColumnElement[str]:
    """A lease's token: `{page id}-{32 hex}`. The id finds the page without an index of tokens."""
    return cast(page_id, Text) + "-" + RandomHex()


def page_id_of(token: str) -> int:
    """The page a token was made for; 0 = no token of ours."""
    head, dash, _ = token.partition("-")
    return int(head) if dash and head.isdecimal() and head.isascii() and len(head) < 19 else 0  # noqa: PLR2004 - fits 63 bits
