"""Moments and lengths of time as people read them, where they are."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def zone() -> tzinfo:
    """The browser's time zone; UTC where it does not say."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def when(seconds: float | None) -> str:
    """Seconds since 1970 as date and time; empty = not yet."""
    return datetime.fromtimestamp(seconds, zone()).strftime("%Y-%m-%d %H:%M") if seconds else ""


def span(seconds: float) -> str:
    """45 s, 3 min, 1 h 20 min."""
    minutes = round(seconds / 60)
    if minutes < 2:  # noqa: PLR2004 - below, seconds say more
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004 - hours say more
