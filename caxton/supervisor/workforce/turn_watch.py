"""Whether a worker that says nothing is in a turn that may last, or hangs. Pure: clocks come in, in nanoseconds."""

from caxton.agents.limits import BOUNDS
from caxton.supervisor.workforce.crash_note import CrashNote

_NS_PER_MS = 1_000_000
# All that one message may cost its agent is within one limit (limits.BOUNDS); a second for what surrounds it.
LONGEST_TURN_NS = (BOUNDS["max_execution_ms"][1] + 1_000) * _NS_PER_MS
# That limit is computing time, and a busy machine gives a worker little of it; but nobody waits longer than this.
LONGEST_WAIT_NS = 60_000 * _NS_PER_MS


class TurnWatch:
    """Of one worker. Whoever owns it has it look at each check while the worker is silent."""

    def __init__(self) -> None:
        # The turn that was seen last, by its start, and how much the worker had computed when it was first seen.
        self._start_ns = -1
        self._computed_ns = 0

    def hangs(self, note: CrashNote | None, now_ns: int, computed_ns: int, *, stopped: bool) -> bool:
        """True unless the note names a turn that may still go on.

        now_ns: the monotonic clock. computed_ns: what the process has computed in its life. stopped: it is not let run.
        """
        if note is None or not note.in_turn:
            return True
        if note.turn_start_ns != self._start_ns:
            self._start_ns, self._computed_ns = note.turn_start_ns, computed_ns
        if note.turn_began_within(now_ns, LONGEST_TURN_NS):
            return False
        if stopped or not note.turn_began_within(now_ns, LONGEST_WAIT_NS):
            return True
        return computed_ns - self._computed_ns >= LONGEST_TURN_NS
