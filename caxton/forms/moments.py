"""Moments as people and programs read them."""

from datetime import UTC, datetime
from typing import overload


@overload
def moment(since_1970_ms: int) -> str: ...


@overload
def moment(since_1970_ms: None) -> None: ...


@overload
def moment(since_1970_ms: int | None) -> str | None: ...


def moment(since_1970_ms: int | None) -> str | None:
    """Return a moment as ISO 8601 writes it, in UTC; a number that no calendar has is written as it is."""
    if since_1970_ms is None:
        return None
    try:
        return datetime.fromtimestamp(since_1970_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{since_1970_ms} ms"
