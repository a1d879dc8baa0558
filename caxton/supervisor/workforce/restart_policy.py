"""When a shard's worker is started again, and when the shard is given up. Pure: time and dice come in."""

from collections import deque

WINDOW_S = 30.0
FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 5.0
# A life that served this long was a good one: the next restart is quick again.
GOOD_LIFE_S = 1.0


class RestartPolicy:
    """One-for-one: at most `limit` restarts within 30 s, the first at once, later ones after doubling waits."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._restarts: deque[float] = deque()
        self._quick_deaths = 0

    def after_death(self, now_s: float, served_s: float, jitter: float) -> float | None:
        """Return how many seconds to wait before the restart, or None to give the shard up.

        `served_s`: how long the worker that died had been ready. `jitter`: 0 to 1, spreads waits over their upper half,
        so that shards that died together do not start together. At most FIRST_DELAY_S the first time, at most
        LONGEST_DELAY_S ever. Restarts are counted when they start, that is at `now_s` plus the wait.
        """
        while self._restarts and self._restarts[0] <= now_s - WINDOW_S:
            self._restarts.popleft()
        if len(self._restarts) >= self._limit:
            return None
        delay = self.after_charged_death(served_s, jitter)
        self._restarts.append(now_s + delay)
        return delay

    def after_charged_death(self, served_s: float, jitter: float) -> float:
        """Return the wait after a death that a message or an agent is charged with: it uses up no restart.

        The charges end such a row of deaths: whoever is charged with too many runs no more.
        """
        self._quick_deaths = 1 if served_s >= GOOD_LIFE_S else self._quick_deaths + 1
        longest = min(FIRST_DELAY_S * 2.0 ** min(self._quick_deaths - 1, 16), LONGEST_DELAY_S)
        return longest * (0.5 + jitter / 2)

    def forget(self) -> None:
        """Start anew, with every restart that is allowed: somebody asked for another try."""
        self._restarts.clear()
        self._quick_deaths = 0
