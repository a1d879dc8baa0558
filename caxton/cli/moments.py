"""Moments as they stand on the command line: how long ago, or when."""

import re
import time
from datetime import datetime

from caxton.errors import ValidationError

_AGO = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def since_1970_ms(option: str, text: str) -> int:
    """Return a moment in ms since 1970: 90s, 10m, 2h and 1d are so long ago; else ISO 8601, of local time unless told.

    Raises ValidationError.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(0, time.time_ns() // 1_000_000 - int(ago[1]) * _SECONDS[ago[2]] * 1_000)
    try:
        return max(0, int(datetime.fromisoformat(text).timestamp() * 1_000))
    except (ValueError, OverflowError, OSError):
        problem = f"{text[:80]!r} is no moment; give how long ago, such as 10m or 2h, or one such as 2026-01-31T12:00"
        raise ValidationError(option, problem) from None
