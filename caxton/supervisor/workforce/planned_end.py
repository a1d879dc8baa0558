"""The end of one worker that was asked for: drain, stop, kill. Pure: time comes in."""

from enum import Enum

# As many heartbeats in a row must say that nothing is left: one may have been written before the worker heard of it.
_IDLE_BEATS = 2
# From the word to stop to the kill: commit what is there, close the file.
STOP_TIMEOUT_S = 5.0


class Step(Enum):
    """What is to be done now."""

    WAIT = "wait"
    STOP = "stop"
    KILL = "kill"


class PlannedEnd:
    """Phase 1: the worker refuses sessions and finishes what it has. Phase 2: it commits and ends by itself.

    Phase 2 comes when two heartbeats in a row were idle, or after `patience_s`; the kill, STOP_TIMEOUT_S later.
    """

    def __init__(self, now_s: float, patience_s: float) -> None:
        self.phase = 1
        self.killed = False
        self._until_s = now_s + patience_s
        self._idle_beats = 0

    def heard(self, phase: int, *, idle: bool) -> None:
        """Take a heartbeat; it counts when the worker knows that it is to end."""
        if phase >= 1:
            self._idle_beats = self._idle_beats + 1 if idle else 0

    def step(self, now_s: float) -> Step:
        """Return what is due; the caller does it, and asks again."""
        if self.phase == 1 and (self._idle_beats >= _IDLE_BEATS or now_s >= self._until_s):
            self.phase = 2
            self._until_s = now_s + STOP_TIMEOUT_S
            return Step.STOP
        if self.phase == 2 and not self.killed and now_s >= self._until_s:  # noqa: PLR2004 (the phase of the wire's Drain)
            self.killed = True
            return Step.KILL
        return Step.WAIT
