"""Who is busy in a shard: asked for now and then by somebody who watches, and worked out for all who do at once."""

from collections.abc import Sequence
from enum import StrEnum
from heapq import nlargest
from typing import Annotated

import msgspec

from caxton.acl.envelope import Id
from caxton.agents.names import MAX_NAME
from caxton.ids import AgentId

# Agents that a shard tells at a time.
MAX_BUSIEST = 100
Count = Annotated[int, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(ge=0)]


class BusyBy(StrEnum):
    """What makes an agent one of the busiest: turns, or what these took, or failed ones; or what waits for it."""

    TURNS = "turns"
    TIME = "time"
    FAILURES = "failures"
    MAILBOX = "mailbox"


class AskBusiest(msgspec.Struct, array_like=True, tag=90, frozen=True):
    """Ask for the agents of this shard with most of something since the look before, at most `limit` of them."""

    by: BusyBy
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_BUSIEST)] = MAX_BUSIEST


class BusyAgent(msgspec.Struct, array_like=True, frozen=True):
    """One agent, and what it did in a second of the time between the last two looks.

    turns_per_s, failures_per_s: of these turns those that failed, or ended with the agent's own error code. time_share:
    the part of its worker's time that its turns took, about: some are measured, for others (ADR 50). 0 for an attached
    agent, whose turns are in its program. queued: messages that wait for it. turns, failures: since the worker started.
    """

    agent_id: Id
    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
    shard: Count
    state: str
    turns_per_s: Rate
    failures_per_s: Rate
    time_share: Rate
    queued: Count
    turns: Count
    failures: Count

    @property
    def id(self) -> AgentId:
        """Its id."""
        return AgentId(self.agent_id)

    def amount(self, by: BusyBy) -> float:
        """Return how much of something it has or does."""
        match by:
            case BusyBy.TURNS:
                return self.turns_per_s
            case BusyBy.TIME:
                return self.time_share
            case BusyBy.FAILURES:
                return self.failures_per_s
            case BusyBy.MAILBOX:
                return self.queued


class Busiest(msgspec.Struct, array_like=True, tag=91, frozen=True):
    """The busiest first. over_ms: the time between the last two looks; since the worker started, before the second.

    total: how many agents there are. missing: shards that do not serve now.
    """

    agents: list[BusyAgent]
    over_ms: Count
    total: Count
    missing: list[int] = []


def most_busy(parts: Sequence[Busiest], by: BusyBy, limit: int) -> Busiest:
    """Return the busiest of all shards, at most so many."""
    agents = nlargest(limit, (agent for part in parts for agent in part.agents), key=lambda agent: agent.amount(by))
    missing = [shard for part in parts for shard in part.missing]
    return Busiest(agents, max((p.over_ms for p in parts), default=0), sum(p.total for p in parts), missing)
