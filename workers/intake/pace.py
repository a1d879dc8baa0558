"""How many messages are taken at a time: what comes does not outrun the turns that it causes."""

from time import monotonic_ns

from workers.worker_pass import MAX_PASS_NS

# Taken at a time, then their turns run: few enough that what was decoded is still in the processor's cache.
AT_ONCE = 256
# While agents wait for their turns: a batch, or some of those who send little.
WHILE_OTHERS_WAIT = 64


class Pace:
    """While agents wait, half as many messages are taken as turns run, and some in 5 ms however few turns run.

    So what waits comes to its end however much comes, and turns are at once again, which is what costs least; what is
    not taken waits outside, where its senders wait for credit. Who comes meanwhile is seen to all the same.
    """

    def __init__(self) -> None:
        self._was_idle = True
        # Since when it is counted, and how many had been taken and had run by then.
        self._began_ns = self._taken = self._turns = 0

    def most(self, taken: int, turns: int, idle: bool) -> int:  # noqa: FBT001 (asked in every slice)
        """Return how many may be taken now, 0 for none. taken, turns: so far, in all; idle: nobody waits for a turn."""
        if idle:
            self._was_idle = True
            return AT_ONCE
        now_ns = monotonic_ns()
        if self._was_idle or now_ns - self._began_ns >= MAX_PASS_NS:
            self._was_idle = False
            self._began_ns, self._taken, self._turns = now_ns, taken, turns
        return WHILE_OTHERS_WAIT if taken - self._taken <= (turns - self._turns) // 2 else 0
