"""Whose turns take long, so that others need not wait for many of them: measured by visit, and not by turn."""

from collections.abc import Callable
from time import monotonic_ns, thread_time_ns

from workers.agents.long_turns import LongTurns
from workers.agents.registry import Agent
from workers.worker_pass import MAX_PASS_NS, NS_PER_MS, SLICE_NS

# An agent that computes for longer when it comes to its turn stands in a line of its own from then on: half of a pass,
# or 16 turns of 150 us.
LONG_NS = MAX_PASS_NS // 2
# For how long visits are looked at after a long one, and at least how many times as long as that took.
WATCH_NS, WATCH_TIMES = 1_000 * NS_PER_MS, 10
# While others wait, who stands there has one turn, and then the others have nine times as long.
OTHERS = 9
# A long visit is remembered for so many times as long as it took, and until a short one after that: so nobody can have
# more than so small a part of the time before it is known again.
MEMORY = 1_000
# Nothing is known of who has had fewer turns than this: its instance is made in the first, which may take long. A long
# visit of it is forgiven by the next short one; but while time is owed it does not stand with those that are known.
PROVEN = 16
# A visit counts for at least this: one of an agent that may begin nothing now takes no time, and would be next again.
LEAST_NS = 200_000
# A turn at once is of no account while those of its frame take no longer than this, one with the other.
USUAL_NS = 50_000


class TurnTime:
    """Of one dispatcher, whose thread this is. A visit that others interrupted counts for what it computed itself.

    Visits are looked at for a while after one that seemed long: else nobody pays for a clock.
    owed_ns: for how long those with short turns go before those with long ones. at_ns: the virtual time, which is where
    the one among those with long turns began who was chosen last.
    """

    def __init__(
        self, now_ns: Callable[[], int] = monotonic_ns, computing_ns: Callable[[], int] = thread_time_ns
    ) -> None:
        self.now_ns = now_ns
        self._computing_ns = computing_ns
        # When what this thread computes was last looked at, and how much it was.
        self._looked_ns = self._computed_ns = 0
        self.owed_ns = 0
        self.at_ns = 0
        # Until when visits are looked at; until when nobody has turns at once, because somebody computed for long; and
        # until when it is looked at what frames compute whose turns are had at once.
        self._watched_ns = self._lined_ns = self._doubted_ns = 0
        # When the first turn of a frame was had at once, 0 when none was.
        self._frame_ns = 0

    def begin(self, now_ns: int, pass_ns: int, *, long_wait: bool) -> int:
        """A slice of a pass runs turns; returns when, as the clock tells it, or 0 while visits are not looked at.

        What the thread computes is looked at once in a pass, which began at pass_ns, and again when more than a slice
        has gone by since: others may have had the processor, and what it computed meanwhile is nobody's turn.
        """
        if now_ns >= self._watched_ns:
            self.owed_ns = 0  # so much time has gone by that the others had theirs
            if not long_wait:
                return 0
        is_known = self._looked_ns > pass_ns and now_ns - self._looked_ns <= SLICE_NS
        return now_ns if is_known else self._look()

    def watch(self, began_ns: int, *, owes: bool = False) -> int:
        """Somebody took long since then, or was interrupted: look at each visit for a while; returns when that begins.

        owes: it may have been somebody of whom nothing is known. Until the others have had their time those go first
        who are known to have short turns.
        """
        now_ns = self._look()
        self._watched_ns = max(self._watched_ns, now_ns + WATCH_NS)
        if owes:
            self.owed_ns = max(self.owed_ns, min(WATCH_NS, (now_ns - began_ns) * OTHERS))
        return now_ns

    def note(self, agent: Agent, began_ns: int, ended_ns: int) -> None:
        """A visit took long, or somebody is owed time, or has had long turns: know whose turns are long.

        The thread computed for no longer than the time before the visit; what is beyond that, the visit has computed.
        """
        took_ns = ended_ns - began_ns
        if took_ns >= LONG_NS:
            computed_ns, looked_ns = self._computed_ns, self._looked_ns
            self._look()
            took_ns = self._computed_ns - computed_ns - (began_ns - looked_ns)
        known = agent.long_turns
        if took_ns >= LONG_NS:
            if known is None:
                known = agent.long_turns = LongTurns(self.at_ns)
            known.until_ns = max(known.until_ns, ended_ns + took_ns * (MEMORY if agent.run >= PROVEN else 0))
            self.owed_ns = max(self.owed_ns, took_ns * OTHERS)
            self._watched_ns = max(self._watched_ns, ended_ns + max(WATCH_NS, took_ns * WATCH_TIMES))
            self._lined_ns = self._watched_ns
        elif known is None:
            self.owed_ns = max(0, self.owed_ns - took_ns)
        if known is not None:
            known.took_ns = took_ns
            known.next_ns = max(known.next_ns, self.at_ns) + max(LEAST_NS, took_ns)
            if took_ns < LONG_NS and ended_ns >= known.until_ns:
                agent.long_turns = None

    def place_of(self, agent: Agent) -> int:
        """Return where an agent stands among those with long turns: who has used less than the others comes first.

        Whoever was away stands where the others are, and has no credit for it.
        """
        known = agent.long_turns
        return self.at_ns if known is None else max(known.next_ns, self.at_ns)

    def begin_frame(self, pass_ns: int) -> bool:
        """Whether those of a frame may have their turns at once, in a pass that began then."""
        now_ns = self.now_ns()
        if now_ns < self._lined_ns or now_ns - pass_ns >= MAX_PASS_NS:
            return False
        if now_ns < self._doubted_ns:
            self._look()
        self._frame_ns = now_ns
        return True

    def end_frame(self, turns: int) -> None:
        """So many had their turns at once, or were to: if somebody computed for long, visits are looked at from now on.

        It takes two: after the first that seemed long it is known what the next one computed.
        """
        began_ns, self._frame_ns = self._frame_ns, 0
        if not began_ns:
            return
        now_ns, usual_ns = self.now_ns(), max(LONG_NS, turns * USUAL_NS)
        if now_ns - began_ns < usual_ns:
            return
        if self._looked_ns < began_ns:
            self._doubted_ns = now_ns + WATCH_NS
        elif self._computing_ns() - self._computed_ns >= usual_ns:
            self.watch(began_ns, owes=True)
            self._lined_ns = self._watched_ns

    def _look(self) -> int:
        self._computed_ns, self._looked_ns = self._computing_ns(), self.now_ns()
        return self._looked_ns
