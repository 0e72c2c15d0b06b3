"""Moments as people write them: +2h, 22:00, 2026-12-24T08:00, seconds since 1970."""

import re
from datetime import datetime, timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FROM_NOW = re.compile(r"\+(\d+(?:\.\d+)?)([smhd])")
_SECONDS = re.compile(r"\d{6,}(?:\.\d+)?")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def moment(said: str, now: datetime) -> float:
    """Seconds since 1970. What names no zone is meant where `now` is; a mere clock time is the next such one.

    Raises:
        ValueError: it is no moment; the message says what one looks like.
    """
    if ahead := _FROM_NOW.fullmatch(said):
        return (now + timedelta(**{_UNITS[ahead[2]]: float(ahead[1])})).timestamp()
    if _SECONDS.fullmatch(said):
        return float(said)
    if clock := _CLOCK.fullmatch(said):
        today = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return (today if today > now else today + timedelta(days=1)).timestamp()
    try:
        read = datetime.fromisoformat(said)
    except ValueError:
        raise ValueError(f"{said!r} is no moment: write +2h, 22:00 or 2026-12-24T08:00.") from None
    return (read if read.tzinfo else read.replace(tzinfo=now.tzinfo)).timestamp()


def clock(seconds: float | None) -> str:
    """Seconds since 1970 as this machine's date and time, to the minute; empty = not yet."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M") if seconds else ""


def span(seconds: float) -> str:
    """A length of time, short: 45 s, 3 min, 1 h 20 min."""
    if seconds < 100:  # noqa: PLR2004 - below, seconds say more than minutes
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004 - as above
