"""Lines that hang together: each carries the hash of the one before, so that a missing one shows."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BEGINNING = "0" * 64
_HEX = 64


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain has come to: how many lines, and the hash of the last."""

    number: int = 0
    hash: str = BEGINNING


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something is wrong at a line, counted from 1."""

    line: int
    said: str


def written(fields: Mapping[str, Any], after: Link, secret: bytes = b"") -> tuple[bytes, Link]:
    """A line for these fields, its end included, and where the chain has come to.

    Args:
        fields: JSON; the names `number`, `before` and `hash` are the chain's own.
        after: the line before.
        secret: makes the hash one that only its owners can make; empty = a plain one.
    """
    body = {"number": after.number + 1, **fields, "before": after.hash}
    digest = _hash(body, secret)
    return _json({**body, "hash": digest}) + b"\n", Link(after.number + 1, digest)


def last(line: bytes) -> Link | None:
    """Where a chain has come to with this line; None = it is no line of a chain."""
    found = _parsed(line)
    return Link(found["number"], found["hash"]) if found else None


def troubles(lines: Iterable[bytes], secret: bytes = b"") -> Iterator[Trouble]:
    """What is wrong with these lines, which may begin in the middle of a chain or hold several chains.

    A line that is missing, changed, moved or added shows; lines cut off at the end show only to somebody
    who has kept the last hash.
    """
    before: Link | None = None
    for place, line in enumerate(lines, start=1):
        found = _parsed(line)
        if found is None:
            yield Trouble(place, "this is no line of the log, or only a part of one")
            before = None
            continue
        said = {name: value for name, value in found.items() if name != "hash"}
        if not hmac.compare_digest(_hash(said, secret), found["hash"]):
            yield Trouble(place, "this line was changed, or written with another secret")
        begins = found["number"] == 1 and found["before"] == BEGINNING
        if before is not None and not begins and found["before"] != before.hash:
            yield Trouble(place, _gap(before.number, found["number"]))
        before = Link(found["number"], found["hash"])


def _gap(before: int, number: int) -> str:
    missing = number - before - 1
    if missing > 0:
        return f"{missing} lines are missing before this one (number {before + 1} to {number - 1})"
    return "this line does not follow the one before: lines were moved, added or changed"


def _hash(body: Mapping[str, Any], secret: bytes) -> str:
    data = _json(body)
    return hmac.new(secret, data, hashlib.sha256).hexdigest() if secret else hashlib.sha256(data).hexdigest()


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or not line.endswith(b"\n"):
        return None
    number, before, digest = found.get("number"), found.get("before"), found.get("hash")
    fits = isinstance(number, int) and all(
        isinstance(one, str) and len(one) == _HEX for one in (before, digest)
    )
    return found if fits else None
