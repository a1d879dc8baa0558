"""Latencies in microseconds, in a histogram of three digits: no list of millions, no average that hides the worst."""

from hdrh.histogram import HdrHistogram

# Up to a minute; what takes longer is shown as a minute.
LONGEST_US = 60_000_000
_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
# Of a curve, eight for each further nine: 0, 25, 43.8 … 90 … 99 … 99.9 … 99.99.
_CURVE = [round(100 - 100 / 10 ** (step / 8), 4) for step in range(33)]


class Latencies:
    """Takes seconds, shows microseconds. `record` costs about 1 µs, however many took that long."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, LONGEST_US, 3)

    def record(self, seconds: float, count: int = 1) -> None:
        """Note that `count` messages took so long."""
        self._histogram.record_value(max(1, min(LONGEST_US, round(seconds * 1e6))), count)

    def add(self, other: "Latencies") -> None:
        """Take over what another has recorded."""
        self._histogram.add(other._histogram)  # noqa: SLF001 (one of us)

    def clear(self) -> None:
        """Forget what was recorded."""
        self._histogram.reset()

    def summary(self) -> dict[str, int]:
        """Return p50, p90, p99, p999 and max."""
        found = {name: int(self._histogram.get_value_at_percentile(at)) for name, at in _PERCENTILES.items()}
        return found | {"max": int(self._histogram.get_max_value())}

    def curve(self) -> list[tuple[float, int]]:
        """Return 33 points (percentile, µs) from 0 to 99.99, evenly spread where the axis counts nines."""
        found = self._histogram.get_percentile_to_value_dict(_CURVE)
        return [(percentile, int(found[percentile])) for percentile in _CURVE]
