"""What was seen at a look, and what happened since the one before."""

from dataclasses import dataclass
from itertools import zip_longest

from caxton.delivery.latency import PERCENTILES, percentile_us
from caxton.wire.busy import Busiest
from caxton.wire.counters import ORDINARY
from caxton.wire.told import Health, RouterStats

Shards = dict[int, dict[str, int | str]]


@dataclass(frozen=True)
class Seen:
    """One look. at_s: when it was (monotonic). busiest: None where they were not told, and `untold` says why not."""

    at_s: float
    stats: RouterStats
    health: Health
    busiest: Busiest | None
    untold: str = ""
    before: "Seen | None" = None

    @property
    def since_s(self) -> float:
        """The seconds since the look before; 0 for the first."""
        return 0.0 if self.before is None else max(0.001, self.at_s - self.before.at_s)

    def rate(self, name: str) -> float | None:
        """Return how much a counter of all workers grew in a second; None at the first look."""
        if self.before is None:
            return None
        return max(0, self.stats.totals.get(name, 0) - self.before.stats.totals.get(name, 0)) / self.since_s

    def rate_of_shard(self, shard: int, name: str) -> float | None:
        """Return the same of one shard; None also where another worker serves it now."""
        now, then = _of(self, shard), None if self.before is None else _of(self.before, shard)
        if now is None or then is None or now["incarnation"] != then["incarnation"]:
            return None
        return max(0, _count(now, name) - _count(then, name)) / self.since_s

    def growing(self) -> list[tuple[str, float]]:
        """Return the counters of what came to no good end that grow, with how much in a second, the most first."""
        rates = [(name, self.rate(name) or 0.0) for name in self.stats.totals if name not in ORDINARY]
        return sorted((found for found in rates if found[1]), key=lambda found: -found[1])

    def percentiles_us(self, name: str) -> list[float | None]:
        """Return how long something took since the look before, in microseconds; None where nothing was measured."""
        now = self.stats.latencies[name].buckets if name in self.stats.latencies else []
        before = [] if self.before is None else self.before.stats.latencies[name].buckets
        grown = [max(0, many - few) for many, few in zip_longest(now, before, fillvalue=0)]
        return [percentile_us(grown, part) for part in PERCENTILES.values()]


def _of(seen: Seen, shard: int) -> dict[str, int | str] | None:
    return next((one for one in seen.stats.workers if one["shard"] == shard), None)


def _count(counters: dict[str, int | str], name: str) -> int:
    count = counters.get(name, 0)
    return count if isinstance(count, int) else 0
