"""What something costs a load: stretches beside it and without it take turns in one runtime, in the same run."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from bench.load.stretch import WARM_UP_S, Stretch

PAIRS = 8


def pairs_s(seconds: float) -> float:
    """Return how long it takes, about, to measure so many seconds of each."""
    return 2 * (seconds + PAIRS * WARM_UP_S)


async def in_pairs(
    seconds: float,
    off: Callable[[float], Awaitable[Stretch]],
    on: Callable[[float], Awaitable[Stretch]],
) -> dict[str, Any]:
    """Measure both for so many seconds, in the order ABBA, and return how they compare. off, on: measure a stretch."""
    runs = (off, on)
    totals = [await run(seconds / PAIRS) for run in runs]
    for pair in range(1, PAIRS):
        for place in (0, 1) if pair % 2 == 0 else (1, 0):
            totals[place] += await runs[place](seconds / PAIRS)
    return _compared(*totals)


def within(
    beside: Callable[[], AbstractAsyncContextManager[object]], run: Callable[[float], Awaitable[Stretch]]
) -> Callable[[float], Awaitable[Stretch]]:
    """Return a function that measures a stretch while whatever is opened anew for it lasts."""

    async def on(seconds: float) -> Stretch:
        async with beside():
            return await run(seconds)

    return on


def _compared(off: Stretch, on: Stretch) -> dict[str, Any]:
    """Return what is left of the rate, and by what the computing time of client and workers grows."""
    cpu_us = [sum(stretch.cpu_us_each().values()) for stretch in (off, on)]
    return {
        "round_trips_per_s": {"off": round(off.per_s), "on": round(on.per_s)},
        "rate_kept": round(on.per_s / off.per_s, 3),
        "cpu_us_each": {"off": off.cpu_us_each(), "on": on.cpu_us_each()},
        "cpu_kept": round(cpu_us[0] / cpu_us[1], 3),
    }
