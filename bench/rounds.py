"""Rounds of measurement, the limit beside both lanes, and the ratios that several of them give together."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.limits.client import Loop
from bench.load.stretch import Stretch

# With fewer, the kernel's steps of 10 ms are more than a twentieth of the computing time of a stretch.
LEAST_ROUND_TRIPS = 50_000
# Of the machine: with more of it in other hands, two processes that want a core each do not get them.
MOST_BUSY_SHARE = 0.15


@dataclass(frozen=True)
class Round:
    """The limit and, right after it, the runtime on both lanes. busy_share: of the machine, in use by others."""

    limit: Loop
    volatile: Stretch
    durable: Stretch
    busy_share: float

    def figures(self) -> dict[str, Any]:
        """Return what a result shows of it: rates, and computing time of a round trip in each process."""
        return {
            "limit": {"round_trips_per_s": round(limit_per_s(self.limit)), "cpu_us_each": limit_us_each(self.limit)},
            "volatile": _figures(self.volatile),
            "durable": _figures(self.durable),
            "busy_share": round(self.busy_share, 2),
        }


def rounds_until(
    is_settled: Callable[[Sequence[Round]], bool], measure: Callable[[int], Round], least: int, most: int
) -> list[Round]:
    """Return so many rounds at least, and more until all of them together settle it, or there are `most`.

    measure: makes a round, told how many there were before it.
    """
    rounds: list[Round] = []
    while len(rounds) < least or (len(rounds) < most and not is_settled(rounds)):
        rounds.append(measure(len(rounds)))
    return rounds


def ratios(rounds: Sequence[Round]) -> dict[str, float | None]:
    """Return the ratios: the best of the runtime over the best of the limit, each of all rounds.

    Whoever else uses the machine makes a rate smaller and a cost larger, never the other way round: the best of several
    rounds is the nearest to what the code does. A cost counts from LEAST_ROUND_TRIPS on, and a rate when others use no
    more than MOST_BUSY_SHARE of the machine. None stands for a ratio that no round says anything about.
    """
    limit_us = _least(sum(limit_us_each(each.limit).values()) for each in rounds if _is_long(each.limit.round_trips))
    volatile = [each.volatile.cpu_us_each() for each in rounds if _is_long(each.volatile.answered)]
    durable = [each.durable.cpu_us_each() for each in rounds if _is_long(each.durable.answered)]
    quiet = [each for each in rounds if each.busy_share <= MOST_BUSY_SHARE]
    limit_per_s_best = max((limit_per_s(each.limit) for each in quiet), default=None)
    volatile_per_s = max((each.volatile.per_s for each in quiet), default=None)
    durable_per_s = max((each.durable.per_s for each in quiet), default=None)
    return {
        "worker_cost_to_limit": _over(_least(us["workers"] for us in volatile), limit_us),
        "client_cost_to_limit": _over(_least(us["client"] for us in volatile), limit_us),
        "durable_worker_cost_to_limit": _over(_least(us["workers"] for us in durable), limit_us),
        "durable_client_cost_to_limit": _over(_least(us["client"] for us in durable), limit_us),
        "volatile_rate_to_limit": _over(volatile_per_s, limit_per_s_best),
        "durable_rate_to_volatile": _over(durable_per_s, volatile_per_s),
    }


def limit_per_s(loop: Loop) -> float:
    """Return the round trips a second of a run of the limit."""
    return loop.round_trips / loop.seconds


def limit_us_each(loop: Loop) -> dict[str, float]:
    """Return the computing time of one round trip of the limit, as a stretch of a lane tells its own."""
    each = 1e6 / loop.round_trips
    return {"client": round(loop.client_cpu_s * each, 2), "workers": round(loop.workers_cpu_s * each, 2)}


def _figures(lane: Stretch) -> dict[str, Any]:
    return {"round_trips_per_s": round(lane.per_s), "cpu_us_each": lane.cpu_us_each()}


def _is_long(round_trips: int) -> bool:
    return round_trips >= LEAST_ROUND_TRIPS


def _least(costs_us: Iterable[float]) -> float | None:
    return min(costs_us, default=None)


def _over(part: float | None, whole: float | None) -> float | None:
    """Return the ratio, in four digits; None when a part of it is missing, or there is nothing to divide by."""
    return None if part is None or not whole else round(part / whole, 4)
