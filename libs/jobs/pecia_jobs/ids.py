"""The names of jobs: `{file}_{YYYYMMDD_HHMMSS}_{8 hex}`, safe in paths, URLs and logs of other systems."""

import re
import secrets
import unicodedata
from datetime import UTC, datetime

_SLUG_LENGTH = 48
_RANDOM_BYTES = 4
_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")
_DOTS = re.compile(r"\.{2,}")
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]{0,47}_[0-9]{8}_[0-9]{6}_[0-9a-f]{8}")
_NAMELESS = "document"


def new_job_id(filename: str, now: float) -> str:
    """A name for the job of this file, made at `now` (seconds since 1970); its end cannot be guessed."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d_%H%M%S")
    return f"{slug_of(filename)}_{stamp}_{secrets.token_hex(_RANDOM_BYTES)}"


def is_job_id(text: str) -> bool:
    """Whether it has the form of a job's name."""
    return _JOB_ID.fullmatch(text) is not None


def slug_of(filename: str) -> str:
    """The letters, digits and dots of a file name, without its folders; at most 48 of them.

    The end is kept before the beginning's rest is: `.pdf` says more than the last letters of a long name.
    """
    name = filename.replace("\\", "/").rpartition("/")[2]
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = _DOTS.sub(".", _UNSAFE.sub("", plain)).strip(".")
    if len(slug) > _SLUG_LENGTH:
        stem, _, ending = slug.rpartition(".")
        ending = f".{ending}" if stem and len(ending) < _SLUG_LENGTH // 4 else ""
        slug = slug[: _SLUG_LENGTH - len(ending)].rstrip(".") + ending
    return slug or _NAMELESS
