"""Who talks to whom: pairs of a sender and a receiver, counted by the receiver's shard while somebody asks."""

from collections.abc import Sequence
from heapq import nlargest
from typing import Annotated

import msgspec

from caxton.acl.envelope import Id
from caxton.agents.names import MAX_NAME
from caxton.ids import AgentId

# Pairs that a shard tells at a time, and agents whose names it is asked for.
MAX_PAIRS, MAX_NAMES = 500, 1_000
# A call graph that nobody asks for so long is counted no more.
CALL_GRAPH_LEASE_S = 10
# In place of an agent's id: all clients together.
CLIENTS = 0
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Rate = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class AskCallGraph(msgspec.Struct, array_like=True, tag=92, frozen=True):
    """Ask which pairs talk most, at most `limit` of them.

    It is counted from the first call on, until nobody has asked for 10 s; what is told is of the last 10 s at most.
    """

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAIRS)] = MAX_PAIRS


class CallPair(msgspec.Struct, array_like=True, frozen=True):
    """One sends to the other. An id of 0 is all clients; a name is "" where nobody has it, as of an agent that is gone.

    messages_per_s: that were sent. failures_per_s: that came to nothing, as their senders were told: refused, expired,
    failed on for good. Either is an estimate where only some passes are counted, with its standard error.
    """

    sender_id: Id
    receiver_id: Id
    sender_name: Name
    receiver_name: Name
    messages_per_s: Rate
    messages_error: Rate
    failures_per_s: Rate
    failures_error: Rate

    @property
    def sender(self) -> AgentId | None:
        """Who sends; None for clients."""
        return None if self.sender_id == CLIENTS else AgentId(self.sender_id)

    @property
    def receiver(self) -> AgentId | None:
        """Who is sent to; None for clients."""
        return None if self.receiver_id == CLIENTS else AgentId(self.receiver_id)


class CallGraph(msgspec.Struct, array_like=True, tag=93, frozen=True):
    """The pairs that talk most, those with most messages and failures first; what is beyond them is in `rest_…`.

    over_ms: the time that was counted, 0 where it has just begun; of all shards the least. counted: which part of the
    passes was counted, 1 for all, where rates are exact; of all shards the least. missing: shards that do not serve.
    """

    pairs: Annotated[list[CallPair], msgspec.Meta(max_length=MAX_PAIRS)]
    rest_messages_per_s: Rate
    rest_failures_per_s: Rate
    over_ms: Count
    counted: Rate
    missing: list[int] = []


class AskNames(msgspec.Struct, array_like=True, tag=94, frozen=True):
    """Ask what agents of this shard are called."""

    agent_ids: Annotated[list[Id], msgspec.Meta(max_length=MAX_NAMES)]


class Names(msgspec.Struct, array_like=True, tag=95, frozen=True):
    """Names by id, of those that there are."""

    names: Annotated[dict[Id, Name], msgspec.Meta(max_length=MAX_NAMES)]


CallGraphRequest = AskCallGraph | AskNames
CallGraphResult = CallGraph | Names


def amount(pair: CallPair) -> float:
    """By which the busiest are found."""
    return pair.messages_per_s + pair.failures_per_s


def merged(parts: Sequence[CallGraph], limit: int) -> CallGraph:
    """Return the graph of all shards, at most so many pairs of it; each pair is of one shard."""
    pairs = [pair for part in parts for pair in part.pairs]
    told = nlargest(limit, pairs, key=amount)
    left = set(map(id, pairs)) - set(map(id, told))
    untold = [pair for pair in pairs if id(pair) in left]
    serving = [part for part in parts if not part.missing]
    return CallGraph(
        told,
        sum(part.rest_messages_per_s for part in parts) + sum(pair.messages_per_s for pair in untold),
        sum(part.rest_failures_per_s for part in parts) + sum(pair.failures_per_s for pair in untold),
        min((part.over_ms for part in serving), default=0),
        min((part.counted for part in serving), default=1.0),
        [shard for part in parts for shard in part.missing],
    )
