"""Calls about who talks to whom: one look for everybody who asks in the same half second."""

from collections.abc import Callable
from math import sqrt
from time import monotonic

from caxton.wire.call_graph import (
    CLIENTS,
    MAX_PAIRS,
    AskCallGraph,
    AskNames,
    CallGraph,
    CallGraphResult,
    CallPair,
    Names,
)
from workers.loop.shard import Shard
from workers.watching.pairs import Estimate, Pair

# How long a look answers everybody who asks.
FRESH_S = 0.5
# Nothing is told of less: a few messages in a millisecond are no rate.
LEAST_S = 0.1


class CallGraphCalls:
    """Answers `AskCallGraph` and `AskNames`."""

    def __init__(self, shard: Shard, clock: Callable[[], float] = monotonic) -> None:
        self._shard = shard
        self._clock = clock
        self._looked_s = 0.0
        self._found: CallGraph | None = None

    def answer(self, asked: AskCallGraph | AskNames) -> CallGraphResult:
        """Return the pairs that talk most, or names."""
        if isinstance(asked, AskNames):
            return Names({agent_id: name for agent_id in asked.agent_ids if (name := self._name(agent_id))})
        now_s = self._clock()
        is_new = not self._shard.watching.watchers.graph.is_asked
        self._shard.watching.watchers.ask_graph(now_s)
        found = self._found
        if is_new or found is None or not found.over_ms or now_s - self._looked_s >= FRESH_S:
            found = self._found = self._look(now_s)
            self._looked_s = now_s
        told, left = found.pairs[: asked.limit], found.pairs[asked.limit :]
        return CallGraph(
            told,
            found.rest_messages_per_s + sum(pair.messages_per_s for pair in left),
            found.rest_failures_per_s + sum(pair.failures_per_s for pair in left),
            found.over_ms,
            found.counted,
        )

    def _look(self, now_s: float) -> CallGraph:
        told = self._shard.watching.watchers.graph.told(now_s, MAX_PAIRS)
        over_s = told.over_s
        if over_s < LEAST_S:
            return CallGraph([], 0.0, 0.0, 0, 1.0)
        pairs = [self._pair(pair, there_were, over_s) for pair, there_were in told.pairs.items()]
        rest = told.rest_messages / over_s, told.rest_failures / over_s
        return CallGraph(pairs, *rest, int(over_s * 1_000), told.part)

    def _pair(self, pair: Pair, there_were: Estimate, over_s: float) -> CallPair:
        sender, receiver = pair
        return CallPair(
            sender,
            receiver,
            self._name(sender),
            self._name(receiver),
            there_were.messages / over_s,
            sqrt(there_were.messages_variance) / over_s,
            there_were.failures / over_s,
            sqrt(there_were.failures_variance) / over_s,
        )

    def _name(self, agent_id: int) -> str:
        agent = None if agent_id == CLIENTS else self._shard.registry.find(agent_id)
        return "" if agent is None else agent.manifest.name
