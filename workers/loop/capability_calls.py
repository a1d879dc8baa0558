"""Calls about capabilities: who has them, which there are, and what an agent has from now on."""

import asyncio
from bisect import bisect_right
from itertools import islice

from caxton.acl.capability import checked_key, names_of
from caxton.agents.names import NamePattern
from caxton.wire.audit import Entry
from caxton.wire.calls import Agents, AgentView, Found, Result
from caxton.wire.capability_calls import (
    Advertise,
    Capabilities,
    CapabilityRequest,
    CapabilityView,
    ListCapabilities,
    ListCapable,
    LookUp,
)
from workers.agents.registry import Agent, fits_one, looked_at
from workers.loop.passes import Passes
from workers.loop.shard import Shard
from workers.loop.views import view

# Agents that are counted before others have the loop.
AT_A_TIME = 4_096
# Fields of a manifest that `Advertise` replaces where it has them.
_REPLACED = ("weight", "health", "version", "system")


class CapabilityCalls:
    """Answers from memory; what changes is answered when it is committed."""

    def __init__(self, shard: Shard, passes: Passes) -> None:
        self._shard = shard
        self._offers = shard.registry.offers
        self._passes = passes
        self._advertising = shard.routes.advertising

    async def answer(self, request: CapabilityRequest, principal: str = "") -> Result:
        """Answer one of these calls, asked for a principal.

        Raises AgentNotFound, ValidationError, ResourceExhausted, StorageFull.
        """
        match request:
            case ListCapable():
                return self._capable(request)
            case ListCapabilities():
                return await self._listed(request)
            case LookUp():
                return Found([self._view_of(agent_id) for agent_id in request.agent_ids])
            case Advertise():
                return await self._advertise(request, principal)

    async def _advertise(self, request: Advertise, principal: str) -> AgentView:
        now_ms = self._passes.renew().wall_ms
        journal, before = self._shard.durable.journal, self._shard.registry.find(request.agent_id)
        manifest = None if before is None else before.manifest
        others = {name: value for name in _REPLACED if (value := getattr(request, name)) is not None}
        agent = self._advertising.change(request.agent_id, request.add, request.remove, **others)
        if agent.manifest is not manifest:
            journal.commit.audit.append(Entry(now_ms, "advertise", principal, agent.manifest.name))
        await journal.stored_after(self._passes.wake)
        return view(agent, self._shard)

    def _view_of(self, agent_id: int) -> AgentView | None:
        agent = self._shard.registry.find(agent_id)
        return None if agent is None else view(agent, self._shard)

    def _capable(self, request: ListCapable) -> Agents:
        """Return a page of those that have all: of those that have the rarest, the ones that have the others too."""
        names = names_of(checked_key(request.key))
        by_name = self._offers.by_name
        rarest = min(names, key=lambda name: len(by_name.get(name, ())))
        agents = self._offers.sorted_by_name(rarest)
        others = [by_name.get(name, {}) for name in names if name != rarest]
        start = bisect_right(agents, request.after, key=_name)
        found: list[AgentView] = []
        at, after = start, request.after
        among = [*map(NamePattern, request.among)]
        for agent in islice(agents, start, start + looked_at(among)):
            at += 1
            after = agent.manifest.name
            if all(agent.agent_id in other for other in others) and fits_one(after, among):
                found.append(view(agent, self._shard))
                if len(found) == request.limit:
                    break
        return Agents(found, at < len(agents), after, len(self._shard.registry.agents))

    async def _listed(self, request: ListCapabilities) -> Capabilities:
        names = self._offers.sorted_names()
        start = bisect_right(names, request.after)
        page = [
            CapabilityView(name, len(agents), await _healthy(list(agents.values())))
            for name in names[start : start + request.limit]
            if (agents := self._offers.by_name.get(name)) is not None
        ]
        return Capabilities(page, start + request.limit < len(names))


async def _healthy(agents: list[Agent]) -> int:
    healthy = 0
    for start in range(0, len(agents), AT_A_TIME):
        if start:
            await asyncio.sleep(0)
        healthy += sum(agent.is_healthy for agent in agents[start : start + AT_A_TIME])
    return healthy


def _name(agent: Agent) -> str:
    return agent.manifest.name
