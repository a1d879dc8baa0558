"""Moments as people and programs read them."""

import re
from datetime import UTC, datetime
from typing import overload

from caxton.errors import InvalidMessageFormat
from caxton.printable import shown

_NUMBER = re.compile(r"([0-9]{1,19}) ms")


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


def read_moment(text: str) -> int:
    """Return what `moment` wrote, in ms since 1970; raises InvalidMessageFormat."""
    if (number := _NUMBER.fullmatch(text)) is not None:
        return int(number[1])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidMessageFormat("moment", f"{shown(text)} is none") from None
    return round(found.timestamp() * 1_000)
