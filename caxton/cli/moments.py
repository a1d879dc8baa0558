"""Moments as they stand on the command line: how long ago, or in how long, or when."""

import re
import time
from datetime import datetime

from caxton.errors import ValidationError

_TIME = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def since_1970_ms(option: str, text: str) -> int:
    """Return a moment in ms since 1970: 90s, 10m, 2h and 1d are so long ago; else ISO 8601, of local time unless told.

    Raises ValidationError.
    """
    ago = _TIME.fullmatch(text)
    if ago is not None:
        return max(0, time.time_ns() // 1_000_000 - int(ago[1]) * _SECONDS[ago[2]] * 1_000)
    try:
        return max(0, int(datetime.fromisoformat(text).timestamp() * 1_000))
    except (ValueError, OverflowError, OSError):
        problem = f"{text[:80]!r} is no moment; give how long ago, such as 10m or 2h, or one such as 2026-01-31T12:00"
        raise ValidationError(option, problem) from None


def to_come_ms(option: str, text: str) -> int:
    """Return a moment to come in ms since 1970: 90s, 10m, 2h and 30d are in so long; else ISO 8601, likewise.

    Raises ValidationError, also for a moment that has passed.
    """
    now_ms = time.time_ns() // 1_000_000
    found = _TIME.fullmatch(text)
    if found is not None:
        moment_ms = now_ms + int(found[1]) * _SECONDS[found[2]] * 1_000
    else:
        try:
            moment_ms = int(datetime.fromisoformat(text).timestamp() * 1_000)
        except (ValueError, OverflowError, OSError):
            problem = f"{text[:80]!r} is no moment; say in how long, such as 30d, or one such as 2026-01-31T12:00"
            raise ValidationError(option, problem) from None
    if moment_ms <= now_ms:
        raise ValidationError(option, f"{text[:80]!r} is no time to come")
    return moment_ms
