"""The call graph as JSON, for people and programs alike."""

import msgspec

from caxton.ids import AgentId
from caxton.wire.call_graph import CLIENTS, CallGraph, CallPair


class CallPairForm(msgspec.Struct, frozen=True, kw_only=True):
    """One sends to the other. An id is null for all clients together, a name for these and where nobody has it."""

    sender_id: str | None
    sender: str | None
    receiver_id: str | None
    receiver: str | None
    messages_per_s: float
    messages_error: float
    failures_per_s: float
    failures_error: float

    @classmethod
    def of(cls, pair: CallPair) -> "CallPairForm":
        """Return the form of a pair."""
        return cls(
            sender_id=None if pair.sender is None else str(pair.sender),
            sender=pair.sender_name or None,
            receiver_id=None if pair.receiver is None else str(pair.receiver),
            receiver=pair.receiver_name or None,
            messages_per_s=round(pair.messages_per_s, 3),
            messages_error=round(pair.messages_error, 3),
            failures_per_s=round(pair.failures_per_s, 3),
            failures_error=round(pair.failures_error, 3),
        )

    def pair(self) -> CallPair:
        """Return what it is the form of. Raises ParseError."""
        return CallPair(
            CLIENTS if self.sender_id is None else int(AgentId.parse(self.sender_id)),
            CLIENTS if self.receiver_id is None else int(AgentId.parse(self.receiver_id)),
            self.sender or "",
            self.receiver or "",
            self.messages_per_s,
            self.messages_error,
            self.failures_per_s,
            self.failures_error,
        )


class CallGraphForm(msgspec.Struct, frozen=True, kw_only=True):
    """Who talks to whom: the pairs that talk most, and the rest.

    over_ms: the time that was counted. counted: which part of the passes was, 1 for all. missing: shards that are away.
    """

    pairs: list[CallPairForm]
    rest_messages_per_s: float
    rest_failures_per_s: float
    over_ms: int
    counted: float
    missing: list[int]

    @classmethod
    def of(cls, graph: CallGraph) -> "CallGraphForm":
        """Return the form of a graph."""
        return cls(
            pairs=[CallPairForm.of(pair) for pair in graph.pairs],
            rest_messages_per_s=round(graph.rest_messages_per_s, 3),
            rest_failures_per_s=round(graph.rest_failures_per_s, 3),
            over_ms=graph.over_ms,
            counted=round(graph.counted, 6),
            missing=graph.missing,
        )

    def graph(self) -> CallGraph:
        """Return what it is the form of. Raises ParseError."""
        return CallGraph(
            [form.pair() for form in self.pairs],
            self.rest_messages_per_s,
            self.rest_failures_per_s,
            self.over_ms,
            self.counted,
            self.missing,
        )
