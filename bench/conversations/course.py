"""One load after the other in one runtime, again and again: rates, and the computing time that each took."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bench.flow.crew import Crew


@dataclass
class Tally:
    """What one load came to so far. count: of what was done; worker_s, client_s: computing time."""

    count: int = 0
    seconds: float = 0.0
    worker_s: float = 0.0
    client_s: float = 0.0

    async def add(self, crew: Crew, run: Callable[[], Awaitable[int]]) -> None:
        """Run it once more."""
        worker_s, client_s, began_s = crew.computing_s(), time.process_time(), time.perf_counter()
        self.count += await run()
        self.seconds += time.perf_counter() - began_s
        self.client_s += time.process_time() - client_s
        self.worker_s += crew.computing_s() - worker_s

    @property
    def per_s(self) -> float:
        """How many a second."""
        return self.count / self.seconds

    def computing(self) -> dict[str, float]:
        """Return the computing time of each, in microseconds."""
        each = max(1, self.count)
        return {"worker_us": round(self.worker_s / each * 1e6, 2), "client_us": round(self.client_s / each * 1e6, 2)}

    def beside(self, other: "Tally") -> dict[str, Any]:
        """Return its figures, and its ratios to the load without: of rates, and of the workers' computing time."""
        worker_s, others_s = self.worker_s / max(1, self.count), other.worker_s / max(1, other.count)
        return {
            "round_trips_per_s": round(self.per_s),
            "ratio_to_without": round(self.per_s / max(1.0, other.per_s), 3),
            "computing_to_without": round(others_s / worker_s, 3) if worker_s else None,
            **self.computing(),
        }
