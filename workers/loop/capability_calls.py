"""Calls about capabilities: who has them, which there are, and what an agent has from now on."""

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
from workers.agents.registered_bytes import registered_bytes
from workers.agents.registry import MOST_PAGE_BYTES, Agent, fits_one, looked_at
from workers.loop.call_line import OF_SLICE, CallLine, Check, Walk
from workers.loop.passes import Passes
from workers.loop.shard import Shard
from workers.loop.views import view

# Fields of a manifest that `Advertise` replaces where it has them.
_REPLACED = ("weight", "health", "version", "system")


class CapabilityCalls:
    """Answers from memory; what changes is answered when it is committed. looks: the turns to look through much."""

    def __init__(self, shard: Shard, passes: Passes, looks: CallLine) -> None:
        self._shard = shard
        self._looks = looks
        self._offers = shard.registry.offers
        self._passes = passes
        self._advertising = shard.routes.advertising

    async def answer(self, request: CapabilityRequest, check: Check, principal: str = "") -> Result:
        """Answer one of these calls, asked for a principal.

        Raises what `check` raises, AgentNotFound, ValidationError, ResourceExhausted, StorageFull.
        """
        match request:
            case ListCapable():
                async with self._looks.turn(check):
                    return self._capable(request)
            case ListCapabilities():
                async with self._looks.turn(check):
                    return await self._listed(request, check)
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
        agents = self._offers.page_of(rarest, request.after)
        others = [by_name.get(name, {}) for name in names if name != rarest]
        found: list[AgentView] = []
        after, size = request.after, 0
        among = [*map(NamePattern, request.among)]
        for agent in islice(agents, looked_at(among)):
            after = agent.manifest.name
            if all(agent.agent_id in other for other in others) and fits_one(after, among):
                found.append(view(agent, self._shard))
                size += registered_bytes(agent.manifest)
                if len(found) == request.limit or size >= MOST_PAGE_BYTES:
                    break
        return Agents(found, next(agents, None) is not None, after, len(self._shard.registry.agents))

    async def _listed(self, request: ListCapabilities, check: Check) -> Capabilities:
        names = [*islice(self._offers.names(request.after), request.limit + 1)]
        walk, page = Walk(check), list[CapabilityView]()
        for name in names[: request.limit]:
            agents = self._offers.by_name.get(name)
            if agents is not None:  # the last one may have gone meanwhile
                page.append(CapabilityView(name, len(agents), await _healthy([*agents.values()], walk)))
        return Capabilities(page, len(names) > request.limit)


async def _healthy(agents: list[Agent], walk: Walk) -> int:
    healthy = 0
    for start in range(0, len(agents), OF_SLICE):
        some = agents[start : start + OF_SLICE]
        healthy += sum(agent.is_healthy for agent in some)
        await walk.looked(len(some))
    return healthy
