"""How many messages are taken at a time: what comes does not outrun the turns that it causes."""

from time import monotonic_ns

from workers.worker_pass import MAX_PASS_NS

# Taken at a time, then their turns run: few enough that what was decoded is still in the processor's cache.
AT_ONCE = 256
# While agents wait for their turns: a batch, or some of those who send little.
WHILE_OTHERS_WAIT = 64
# Fewer turns than this in 5 ms are long: it is as well if their messages are in mailboxes.
FEW_TURNS = 64
# Whatever ran, and whatever was taken that caused no turn: who comes waits no longer before some are taken.
LONGEST_NS = 4 * MAX_PASS_NS


class Pace:
    """While agents wait, three messages are taken for four turns that run; some in 20 ms, or in 5 where turns are long.

    So what waits comes to its end however much comes, and turns are at once again, which is what costs least; what is
    not taken waits outside, where its senders wait for credit. Who comes meanwhile is seen to all the same.
    """

    def __init__(self) -> None:
        self._was_idle = True
        # Since when it is counted, and how many had been taken and had run by then.
        self._taken = self._turns = 0
        # When the last were taken, and how many had run by then.
        self._last_ns = self._last_turns = 0

    def most(self, taken: int, turns: int, idle: bool) -> int:  # noqa: FBT001 (asked in every slice)
        """Return how many may be taken now, 0 for none. taken, turns: so far, in all; idle: nobody waits for a turn."""
        if idle:
            self._was_idle = True
            return AT_ONCE
        now_ns = monotonic_ns()
        within_ns = MAX_PASS_NS if turns - self._last_turns < FEW_TURNS else LONGEST_NS
        if self._was_idle or now_ns - self._last_ns >= within_ns:
            self._was_idle = False
            self._taken, self._turns = taken, turns
        if 4 * (taken - self._taken) > 3 * (turns - self._turns):
            return 0
        self._last_ns, self._last_turns = now_ns, turns
        return WHILE_OTHERS_WAIT
