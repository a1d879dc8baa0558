"""What a client asks about capabilities: who has them, which there are; and what it lets agents have."""

from collections.abc import AsyncIterator, Iterable

from caxton.acl.capability import Capability, Everyone, check_capability, label_of
from caxton.agents.manifest import MAX_WEIGHT, Health, capabilities_of
from caxton.client.calls.agent_listing import AgentListing
from caxton.client.calls.arguments import as_typed, check_whole, listed
from caxton.client.calls.merging import merged
from caxton.client.connection import Agent, Connection
from caxton.errors import AgentNotFound, CaxtonError, NoCapableAgents, ResourceExhausted
from caxton.ids import AgentId
from caxton.wire.calls import Agents, AgentView, Found, ListAgents
from caxton.wire.capability_calls import (
    MAX_PAGE,
    Advertise,
    Capabilities,
    CapabilityView,
    ListCapabilities,
    ListCapable,
    LookUp,
)


class CapabilityCalls(Connection):
    """Every call raises ShardUnavailable, NetworkError or Timeout when a shard does not answer."""

    def find(self, *names: str, limit: int | None = None, after: str = "") -> AgentListing:
        """Return the agents that have all of these capabilities, in the order of their names, whether healthy or not.

        To be iterated with `async for`, or awaited for a list of all. limit: at most so many. after: those whose names
        come behind this one. Raises ValidationError for what is no capability.
        """
        key = Capability(*names).key

        async def ask(shard: int, request: ListAgents) -> Agents:
            return await self._call(shard, ListCapable(key, request.after, request.limit, request.among), Agents)

        return AgentListing(ask, self._open().shards, None, None, limit, after)

    async def lookup(self, agents: Iterable[Agent]) -> list[AgentView | CaxtonError]:
        """Return all about each of these agents, in order, or AgentNotFound where there is none."""
        session = self._open()
        agents = listed(agents, AgentId, "agents")
        results: list[AgentView | CaxtonError] = []
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for place, agent in enumerate(agents):
            agent_id = self.id_of(agent)
            results.append(as_typed(AgentNotFound(str(agent_id)), agent, agent_id))
            by_shard.setdefault(session.table.shard_of(agent_id), []).append((place, int(agent_id)))
        for shard, some in by_shard.items():
            for start in range(0, len(some), MAX_PAGE):
                page = some[start : start + MAX_PAGE]
                found = await self._call(shard, LookUp([agent_id for _, agent_id in page]), Found)
                for (place, _), view in zip(page, found.views, strict=False):
                    if view is not None:
                        results[place] = view
        return results

    async def capabilities(self, *, after: str = "") -> AsyncIterator[CapabilityView]:
        """Yield the capabilities that agents have, in the order of the alphabet, each with how many have it.

        They are asked for while they are taken, at most 500 of each shard at a time. after: those behind this one.
        Raises ValidationError for what is no capability.
        """
        if after:
            check_capability(after)
        last: CapabilityView | None = None
        async for view in merged([self._of_shard(shard, after) for shard in range(self._open().shards)], _name):
            if last is not None and last.name == view.name:
                last = CapabilityView(view.name, last.agents + view.agents, last.healthy + view.healthy)
                continue
            if last is not None:
                yield last
            last = view
        if last is not None:
            yield last

    async def advertise(
        self,
        agent: Agent,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        weight: int | None = None,
        health: str | None = None,
    ) -> AgentView:
        """Let an agent have other capabilities, also after a restart; returns it as it is then.

        weight: from 1 to 100, its share where the balancing is "weighted". health: "unhealthy" keeps messages to its
        capabilities from it, "healthy" sends them to it as long as it takes any, "auto" leaves it to how it is. Raises
        AgentNotFound, ValidationError.
        """
        agent_id = self.id_of(agent)
        if weight is not None:
            check_whole("weight", weight, 1, MAX_WEIGHT)
        word = None if health is None else Health.parse(health)
        request = Advertise(int(agent_id), capabilities_of(add), capabilities_of(remove), weight, word)
        try:
            return await self._call(self._open().table.shard_of(agent_id), request, AgentView)
        except CaxtonError as error:
            raise as_typed(error, agent, agent_id) from None

    async def _everyone(self, meant: Everyone) -> list[AgentView]:
        """Return who is healthy and has the capability. Raises NoCapableAgents, ResourceExhausted."""
        found: list[AgentView] = []
        async for view in self.find(*meant.names):
            if view.is_healthy:
                if len(found) == meant.most:
                    raise ResourceExhausted(f"agents for {meant}", meant.most)
                found.append(view)
        if not found:
            raise NoCapableAgents(label_of(meant.key), ())
        return found

    async def _of_shard(self, shard: int, after: str) -> AsyncIterator[CapabilityView]:
        more = True
        while more:
            page = await self._call(shard, ListCapabilities(after), Capabilities)
            for view in page.capabilities:
                yield view
            more = page.more and bool(page.capabilities)
            after = page.capabilities[-1].name if page.capabilities else after


def _name(view: CapabilityView) -> str:
    return view.name
