"""Some turns are measured, so that others need not look at a clock."""

from collections.abc import Callable
from random import random
from time import monotonic_ns

from caxton.acl.envelope import Envelope
from workers.agents.delivery import Delivery
from workers.agents.registry import Agent
from workers.worker_pass import MAX_TURNS, NEVER, NS_PER_MS, Pass

Take = Callable[[Agent, Envelope, int, int, int, Delivery | None], int]


class TimedTurn:
    """Stands for `take` where one turn is to be measured: the first, if it is one and not a message that expired.

    agent: whose it was; None while nothing was measured. turn_ns: what it took. began_ns: when it began. waited_ns:
    since its message was placed; of one in a mailbox the time of its pass, or of its delivery, is when that was.
    """

    __slots__ = ("_clock", "_take", "agent", "began_ns", "turn_ns", "waited_ns")

    def __init__(self, take: Take, clock: Callable[[], int] = monotonic_ns) -> None:
        self._take = take
        self._clock = clock
        self.agent: Agent | None = None
        self.began_ns = self.turn_ns = self.waited_ns = 0

    def __call__(
        self,
        agent: Agent,
        message: Envelope,
        source: int,
        sequence: int,
        expires_ns: int,
        delivery: Delivery | None,
    ) -> int:
        """Let the agent handle the message, as `take` does."""
        before = agent.run
        began_ns = self._take(agent, message, source, sequence, expires_ns, delivery)
        if self.agent is None and agent.run != before:
            self.agent = agent
            self.turn_ns = self._clock() - began_ns
            self.began_ns = began_ns
            if delivery is not None:
                self.waited_ns = max(0, began_ns - delivery.since_ns)
            elif expires_ns != NEVER:
                self.waited_ns = max(0, began_ns - expires_ns + message.timeout_ms * NS_PER_MS)
        return began_ns

    def tell(self, a_pass: Pass, count: int) -> None:
        """Let it count for so many, if there was one: in the histograms, and in the time that its agent has used."""
        if self.agent is not None:
            a_pass.latencies += (("waiting", self.waited_ns, count), ("processing", self.turn_ns, count))
            self.agent.took_ns += self.turn_ns * count


class SampledTurns:
    """Of the turns of a pass one is measured, which may be any with the same chance: a reservoir of one.

    Of n turns about ln(n) are looked at, and the last of these is told. turns: of the slices that are over. dice:
    numbers from 0 to less than 1.
    """

    def __init__(self, take: Take, dice: Callable[[], float] = random) -> None:
        self._take = take
        self._dice = dice
        self._timed: TimedTurn | None = None
        self._measured: TimedTurn | None = None
        # After how many turns of the pass it is asked again who takes them.
        self._until = 0
        self.turns = 0

    def go_on(self, turns: int) -> tuple[Take, int]:
        """Return who takes the next turns, and after how many of this slice it is to be asked again. turns: so far."""
        turns += self.turns
        if self._timed is None:
            self._timed = TimedTurn(self._take)
            self._until = turns + 1
        else:
            self._end()
            self._until = min(MAX_TURNS, int(turns / (1 - self._dice())))
        return self.resume()

    def resume(self) -> tuple[Take, int]:
        """Return the same for a slice that begins."""
        return self._timed or self._take, self._until - self.turns

    def tell(self, a_pass: Pass) -> None:
        """Let what was measured count for all turns that there were."""
        self._end()
        if self._measured is not None:
            self._measured.tell(a_pass, self.turns)

    def _end(self) -> None:
        if self._timed is not None and self._timed.agent is not None:
            self._measured = self._timed
        self._timed = None
