"""Which agents are busiest now: of a million, those that are worth a look."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter

from caxton.gateway.caller import Caller
from caxton.tokens.role import Role
from caxton.wire.busy import MAX_BUSIEST, BusyAgent, BusyBy

_USUAL = 20


class BusyForm(msgspec.Struct, frozen=True, kw_only=True):
    """One agent, and what it did in a second of late. time_share: the part of its worker's time that it took, about."""

    agent_id: str
    name: str
    shard: int
    state: str
    turns_per_s: float
    failures_per_s: float
    time_share: float
    queued: int
    turns: int
    failures: int

    @classmethod
    def of(cls, agent: BusyAgent) -> "BusyForm":
        """Return the form of an agent."""
        said = {name: getattr(agent, name) for name in cls.__struct_fields__ if name != "agent_id"}
        return cls(agent_id=str(agent.id), **said)


class BusyPage(msgspec.Struct, frozen=True):
    """The busiest first. over_ms: the time that was looked at. total: of all agents. missing: shards that are away."""

    agents: list[BusyForm]
    over_ms: int
    total: int
    missing: list[int]


@get("/v1/busiest", summary="The busiest agents", tags=["agents"])
async def busiest(
    caller: Caller,
    by: Annotated[BusyBy, QueryParameter(description="What they have most of.")] = BusyBy.TURNS,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_BUSIEST, description="At most so many.")] = _USUAL,
) -> BusyPage:
    """Return the agents with most turns, time or failures between the last two looks, or with the fullest mailboxes."""
    caller.may(Role.VIEWER)
    async with caller.client() as client:
        found = await client.busiest(by, limit)
    return BusyPage([BusyForm.of(agent) for agent in found.agents], found.over_ms, found.total, found.missing)


ROUTES: list[Any] = [busiest]
