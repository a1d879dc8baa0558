"""What is counted of pairs in some of all passes, and how much of it there was in all of them, with the error of that.

Pure: which passes are counted is `CallGraph`'s to say, and with which chance.
"""

from heapq import nlargest
from typing import NamedTuple

# Pairs that are kept of a window, and that are there before those with least make room.
MOST_PAIRS, MOST_BEFORE_ROOM = 1_024, 2_048
Pair = tuple[int, int]


class Count:
    """What passes counted of something: how much, of all passes (`sum`), and what the error of that follows from.

    A pass that was counted with a chance of 1 / weight stands for `weight` passes. squares, products: of what it
    counted with itself and with its turns, each by what it adds to a variance.
    """

    __slots__ = ("products", "squares", "sum")

    def __init__(self) -> None:
        self.sum = self.squares = self.products = 0.0

    def take(self, number: int, turns: int, weight: float) -> None:
        """Add what a pass of so many turns counted."""
        spread = weight * (weight - 1.0)
        self.sum += number * weight
        self.squares += number * number * spread
        self.products += number * turns * spread


class Tally:
    """Of a pair: messages and failures."""

    __slots__ = ("failures", "messages")

    def __init__(self) -> None:
        self.messages, self.failures = Count(), Count()

    @property
    def amount(self) -> float:
        """By which the busiest are found."""
        return self.messages.sum + self.failures.sum


class Estimate:
    """How many messages and failures there were, with the variance of each."""

    __slots__ = ("failures", "failures_variance", "messages", "messages_variance")

    def __init__(self) -> None:
        self.messages = self.messages_variance = self.failures = self.failures_variance = 0.0

    @property
    def amount(self) -> float:
        """By which the busiest are found."""
        return self.messages + self.failures

    def add(self, other: "Estimate") -> None:
        """Add another one, of other passes."""
        self.messages += other.messages
        self.messages_variance += other.messages_variance
        self.failures += other.failures
        self.failures_variance += other.failures_variance


class Closed(NamedTuple):
    """A window that is over: since when, the least part of its passes, its pairs, and what there was in all."""

    began_s: float
    part: float
    pairs: dict[Pair, Estimate]
    messages: float
    failures: float


class Window:
    """What is counted from a moment on (monotonic, in seconds).

    began_turns: of all passes before it. messages, failures: of all pairs, also of those that made room. turns: of the
    passes that were counted. part: the least with which one was. evicted: pairs that made room.
    """

    def __init__(self, began_s: float, began_turns: int) -> None:
        self.began_s = began_s
        self.began_turns = began_turns
        self.pairs: dict[Pair, Tally] = {}
        self.messages = self.failures = 0.0
        self.turns = Count()
        self.part = 1.0
        self.evicted = 0

    def take(self, seen: dict[Pair, int], failed: dict[Pair, int], turns: int, part: float) -> None:
        """Add what a pass of so many turns counted."""
        weight = 1.0 / part
        self.part = min(self.part, part)
        self.turns.take(turns, turns, weight)
        for pair, number in seen.items():
            self._of(pair).messages.take(number, turns, weight)
            self.messages += number * weight
        for pair, number in failed.items():
            self._of(pair).failures.take(number, turns, weight)
            self.failures += number * weight
        if len(self.pairs) > MOST_BEFORE_ROOM:
            self._make_room()

    def scale(self, turns: int) -> float:
        """Return by what everything is to be multiplied where all passes by now had so many turns.

        Turns are known of all passes, so what was counted in some is scaled by theirs.
        """
        if self.part >= 1.0 or not self.turns.sum:
            return 1.0
        return (turns - self.began_turns) / self.turns.sum

    def estimate(self, tally: Tally, scale: float) -> Estimate:
        """Return how much there was of a pair."""
        found = Estimate()
        found.messages, found.messages_variance = self._scaled(tally.messages, scale)
        found.failures, found.failures_variance = self._scaled(tally.failures, scale)
        return found

    def close(self, turns: int) -> Closed:
        """Return what there was, where all passes by now had so many turns."""
        if len(self.pairs) > MOST_PAIRS:
            self._make_room()
        scale = self.scale(turns)
        pairs = {pair: self.estimate(tally, scale) for pair, tally in self.pairs.items()}
        return Closed(self.began_s, self.part, pairs, self.messages * scale, self.failures * scale)

    def _scaled(self, count: Count, scale: float) -> tuple[float, float]:
        turns = self.turns
        if not turns.sum:
            return count.sum, count.squares
        of_turn = count.sum / turns.sum
        spread = count.squares - 2 * of_turn * count.products + of_turn * of_turn * turns.squares
        return count.sum * scale, max(0.0, spread) * scale * scale

    def _of(self, pair: Pair) -> Tally:
        tally = self.pairs.get(pair)
        if tally is None:
            tally = self.pairs[pair] = Tally()
        return tally

    def _make_room(self) -> None:
        self.evicted += len(self.pairs) - MOST_PAIRS
        self.pairs = dict(nlargest(MOST_PAIRS, self.pairs.items(), key=_amount))


def _amount(entry: tuple[Pair, Tally]) -> float:
    return entry[1].amount
