"""The agents of a shard by what they can do. Who has no capability costs nothing here."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from caxton.agents.manifest import DEFAULT_WEIGHT

if TYPE_CHECKING:
    from workers.agents.registry import Agent


class Offers:
    """Agents by capability, then by id.

    unhealthy: those that are no candidates. weights: of those that have another than usual. Both say what would
    otherwise be read from each agent, and a thousand of a million are read slowly. on_change: called with an agent's id
    and what it can, and could do before, when it came, went, or changed.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, dict[int, Agent]] = {}
        # Of a capability, the agents in the order of their names: sorted at the first page after a change.
        self._sorted: dict[str, list[Agent]] = {}
        self.unhealthy: set[int] = set()
        self.weights: dict[int, int] = {}
        self._names: list[str] | None = None
        self.on_change: Callable[[int, Iterable[str]], None] = _nobody_listens

    def add(self, agent: "Agent") -> None:
        """Enter an agent with what it can do."""
        self._enter(agent)
        self.on_change(agent.agent_id, agent.manifest.capabilities)

    def remove(self, agent: "Agent") -> None:
        """Forget an agent."""
        self._leave(agent, agent.manifest.capabilities)
        self.on_change(agent.agent_id, agent.manifest.capabilities)

    def replace(self, agent: "Agent", before: tuple[str, ...]) -> None:
        """Take in that an agent's manifest says other things than before."""
        self._leave(agent, before)
        if agent.manifest.capabilities:
            self._enter(agent)
        self.on_change(agent.agent_id, {*before, *agent.manifest.capabilities})

    def changed(self, agent: "Agent") -> None:
        """Take in that an agent may be healthy now, or may be so no longer."""
        self._look(agent)
        self.on_change(agent.agent_id, agent.manifest.capabilities)

    def some_with_all(self, names: tuple[str, ...], most: int) -> list[int]:
        """Return the ids of agents that have all of these capabilities, of the first `most` that have the rarest."""
        if len(names) == 1:
            return list(islice(self.by_name.get(names[0], ()), most))
        rarest, *others = sorted((self.by_name.get(name, {}) for name in names), key=len)
        return [agent_id for agent_id in islice(rarest, most) if all(agent_id in other for other in others)]

    def sorted_by_name(self, name: str) -> "list[Agent]":
        """Return the agents with a capability in the order of their names; nobody may change the list."""
        found = self._sorted.get(name)
        if found is None:
            found = sorted(self.by_name.get(name, {}).values(), key=lambda agent: agent.manifest.name)
            if found:
                self._sorted[name] = found
        return found

    def sorted_names(self) -> list[str]:
        """Return the capabilities in the order of the alphabet; nobody may change the list."""
        if self._names is None:
            self._names = sorted(self.by_name)
        return self._names

    def _enter(self, agent: "Agent") -> None:
        agent.offers = self
        self._look(agent)
        if agent.manifest.weight != DEFAULT_WEIGHT:
            self.weights[agent.agent_id] = agent.manifest.weight
        for name in agent.manifest.capabilities:
            agents = self.by_name.get(name)
            if agents is None:
                agents = self.by_name[name] = {}
                self._names = None
            agents[agent.agent_id] = agent
            self._sorted.pop(name, None)

    def _look(self, agent: "Agent") -> None:
        if agent.is_healthy:
            self.unhealthy.discard(agent.agent_id)
        else:
            self.unhealthy.add(agent.agent_id)

    def _leave(self, agent: "Agent", names: Iterable[str]) -> None:
        agent.offers = None
        self.unhealthy.discard(agent.agent_id)
        self.weights.pop(agent.agent_id, None)
        for name in names:
            self._sorted.pop(name, None)
            agents = self.by_name.get(name)
            if agents is not None:
                agents.pop(agent.agent_id, None)
                if not agents:
                    del self.by_name[name]
                    self._names = None


def _nobody_listens(_agent_id: int, _capabilities: Iterable[str]) -> None:
    """Take no notice: nobody subscribed yet."""
