"""Who talks to whom in a shard, counted while somebody asks for it: in every pass, or in some where there is too much.

A message is counted where its receiver is, and one to a client where its sender is, so each once. One that came to
nothing is counted where its sender is told so: in the failure that is sent, or in the refusal to a client.
"""

import random
from collections.abc import Callable, Iterable
from heapq import nlargest
from operator import itemgetter
from typing import NamedTuple

from caxton.acl.capability import is_nobody
from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.acl.escalation import ESCALATION_PROTOCOL
from caxton.acl.failure import END_PROTOCOL
from caxton.acl.performative import Performative
from caxton.errors import CaxtonError
from caxton.ids import SESSION_BIT
from caxton.wire.call_graph import CALL_GRAPH_LEASE_S, CLIENTS
from workers.watching.pairs import Closed, Estimate, Pair, Window

# A window; what is told is of the present one and the one before.
WINDOW_S = 5.0
# Messages that are counted in a second, about: where there are more, some passes are counted, and stand for all.
ENOUGH_A_SECOND = 5_000
# Between two ticks, before fewer passes are counted.
MOST_AT_ONCE = 2_000
LEAST_PART = 1 / 4_096
_ROUNDED = 1e-6
_FAILED = {int(Performative.FAILURE), int(Performative.NOT_UNDERSTOOD)}
# Failures that tell of something else than a message that came to nothing.
_OF_OTHERS = {ESCALATION_PROTOCOL, END_PROTOCOL}


class Told(NamedTuple):
    """The busiest pairs; how much there was of the rest; over which time; the least part of the passes."""

    pairs: dict[Pair, Estimate]
    rest_messages: float
    rest_failures: float
    over_s: float
    part: float


class CallGraph:
    """Owned by the worker's loop; `Watchers` shows it what goes by in a pass that counts.

    owns: whether this shard has an agent of that id. dice: numbers from 0 to 1. turns: tells those of all passes.
    is_asked: somebody asked for it of late. is_counting: what goes by now is counted. part: of passes, that are
    counted. evicted: pairs that made room.
    """

    def __init__(self, owns: Callable[[int], bool], dice: Callable[[], float] = random.random) -> None:
        self._owns = owns
        self._dice = dice
        self.turns: Callable[[], int] = lambda: 0
        self._asked_s = 0.0
        self._before: Closed | None = None
        self._now = Window(0.0, 0)
        self._seen: dict[Pair, int] = {}
        self._failed: dict[Pair, int] = {}
        # Of all passes when the present one began.
        self._turns = 0
        # Messages since the last tick: those that were counted, and for how many these stand.
        self._counted, self._stand_for = 0, 0.0
        self._ticked_s = 0.0
        self.is_asked = self.is_counting = False
        self.part = self._drawn_part = 1.0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._now.pairs) + (0 if self._before is None else len(self._before.pairs))

    def ask(self, now_s: float) -> None:
        """Count from now on, or go on, until nobody has asked for it for so long."""
        self._asked_s = now_s
        if not self.is_asked:
            self.is_asked = self.is_counting = True
            self.part = self._drawn_part = 1.0
            self._counted, self._stand_for, self._ticked_s = 0, 0.0, now_s
            self._turns = self.turns()
            self._before, self._now = None, Window(now_s, self._turns)

    def draw(self) -> bool:
        """A pass begins: whether it is one that counts."""
        self._fold()
        self._drawn_part = self.part
        self.is_counting = self.part >= 1.0 or self._dice() < self.part
        return self.is_counting

    def came(self, messages: Iterable[Envelope], *, from_client: bool) -> None:
        """Messages came from a client, or from another shard."""
        for message in messages:
            if not message.flags & AUTOMATIC:
                self._count(CLIENTS if from_client else message.sender, message.receiver)

    def refused(self, refused: Iterable[tuple[int, Envelope, CaxtonError]]) -> None:
        """A client is told that these of its messages were refused."""
        for _, message, _ in refused:
            if not (is_nobody(message.receiver) or message.receiver >= SESSION_BIT):
                pair = CLIENTS, message.receiver
                self._failed[pair] = self._failed.get(pair, 0) + 1

    def sent(self, messages: Iterable[Envelope]) -> None:
        """An agent of this shard, or the runtime itself, sends messages; what ends here is counted here."""
        for message in messages:
            receiver = message.receiver
            if message.flags & AUTOMATIC:
                if message.performative in _FAILED and _tells_of_a_message(message):
                    pair = _party(receiver), _party(message.sender)
                    self._failed[pair] = self._failed.get(pair, 0) + 1
            elif receiver >= SESSION_BIT:
                self._count(message.sender, CLIENTS)
            elif self._owns(receiver):
                self._count(message.sender, receiver)

    def tick(self, now_s: float) -> None:
        """Let time pass: find which part of the passes is enough, begin windows, and end when nobody asks any more."""
        self._fold()
        passed_s, self._ticked_s = now_s - self._ticked_s, now_s
        self._adapt(passed_s)
        if now_s - self._asked_s >= CALL_GRAPH_LEASE_S:
            self.is_asked = self.is_counting = False
            self._before, self._now = None, Window(now_s, self._turns)
        elif now_s - self._now.began_s >= WINDOW_S:
            self._before, self._now = self._now.close(self._turns), Window(now_s, self._turns)

    def told(self, now_s: float, most: int) -> Told:
        """Return the busiest pairs, at most so many, and what else there is to tell."""
        self._fold()
        now, before, scale = self._now, self._before, self._now.scale(self._turns)
        amounts = {pair: tally.amount * scale for pair, tally in now.pairs.items()}
        if before is not None:
            for pair, estimate in before.pairs.items():
                amounts[pair] = amounts.get(pair, 0.0) + estimate.amount
        pairs = {pair: self._estimate(pair, scale) for pair, _ in nlargest(most, amounts.items(), key=itemgetter(1))}
        messages, failures, began_s, part = now.messages * scale, now.failures * scale, now.began_s, now.part
        if before is not None:
            messages, failures = messages + before.messages, failures + before.failures
            began_s, part = before.began_s, min(part, before.part)
        messages -= sum(estimate.messages for estimate in pairs.values())
        failures -= sum(estimate.failures for estimate in pairs.values())
        # What was rounded on the way is nothing.
        rest = [amount if amount > _ROUNDED else 0.0 for amount in (messages, failures)]
        return Told(pairs, rest[0], rest[1], now_s - began_s, part)

    def _estimate(self, pair: Pair, scale: float) -> Estimate:
        found, tally = Estimate(), self._now.pairs.get(pair)
        if tally is not None:
            found.add(self._now.estimate(tally, scale))
        if self._before is not None and (earlier := self._before.pairs.get(pair)) is not None:
            found.add(earlier)
        return found

    def _count(self, sender: int, receiver: int) -> None:
        sender = _party(sender)
        if sender == receiver == CLIENTS or receiver >= SESSION_BIT or is_nobody(receiver):
            return  # nobody has it: what it is sent on to is counted
        seen, pair = self._seen, (sender, receiver)
        seen[pair] = seen.get(pair, 0) + 1

    def _fold(self) -> None:
        """Let what was counted since the pass began stand for as many passes as were likely not to count."""
        turns, self._turns = self.turns() - self._turns, self.turns()
        if not self.is_counting or not (turns or self._seen or self._failed):
            return
        now, evicted = self._now, self._now.evicted
        now.take(self._seen, self._failed, turns, self._drawn_part)
        self.evicted += now.evicted - evicted
        counted = sum(self._seen.values())
        self._seen, self._failed = {}, {}
        self._counted += counted
        self._stand_for += counted / self._drawn_part
        if counted and self._counted > MOST_AT_ONCE:  # rather than all that come until the next tick
            self.part = max(LEAST_PART, self.part / 2)

    def _adapt(self, passed_s: float) -> None:
        enough, were = ENOUGH_A_SECOND * passed_s, self._stand_for
        self._counted, self._stand_for = 0, 0.0
        wanted = enough / were if were > enough else 1.0
        self.part = max(LEAST_PART, min(2.0 * self.part, wanted))


def _party(number: int) -> int:
    return CLIENTS if number >= SESSION_BIT else number


def _tells_of_a_message(failure: Envelope) -> bool:
    return failure.rare is None or failure.rare.protocol not in _OF_OTHERS
