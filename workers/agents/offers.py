"""The agents of a shard by what they can do. Who has no capability costs nothing here."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from sortedcontainers import SortedKeyList, SortedList

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
        # Of a capability, the agents in the order of their names; and the capabilities. Made for the first page of
        # them, and kept sorted from then on: who is never listed costs nothing.
        self._sorted: dict[str, SortedKeyList] = {}
        self._names: SortedList | None = None
        self.unhealthy: set[int] = set()
        self.weights: dict[int, int] = {}
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

    def page_of(self, name: str, after: str) -> "Iterator[Agent]":
        """Return the agents with a capability, in the order of their names, from behind a name on."""
        agents = self.by_name.get(name)
        if not agents:
            return iter(())
        in_order = self._sorted.get(name)
        if in_order is None:
            in_order = self._sorted[name] = SortedKeyList(agents.values(), key=_name)
        found: Iterator[Agent] = in_order.irange_key(after, inclusive=(False, True))
        return found

    def names(self, after: str) -> Iterator[str]:
        """Return the capabilities that agents have, in the order of the alphabet, from behind one on."""
        if self._names is None:
            self._names = SortedList(self.by_name)
        found: Iterator[str] = self._names.irange(after, inclusive=(False, True))
        return found

    def _enter(self, agent: "Agent") -> None:
        agent.offers = self
        self._look(agent)
        if agent.manifest.weight != DEFAULT_WEIGHT:
            self.weights[agent.agent_id] = agent.manifest.weight
        for name in agent.manifest.capabilities:
            agents = self.by_name.get(name)
            if agents is None:
                agents = self.by_name[name] = {}
                if self._names is not None:
                    self._names.add(name)
            agents[agent.agent_id] = agent
            if name in self._sorted:
                self._sorted[name].add(agent)

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
            agents = self.by_name.get(name)
            if agents is None or agents.pop(agent.agent_id, None) is None:
                continue
            if name in self._sorted:
                self._sorted[name].remove(agent)
            if not agents:
                del self.by_name[name]
                self._sorted.pop(name, None)
                if self._names is not None:
                    self._names.remove(name)


def _nobody_listens(_agent_id: int, _capabilities: Iterable[str]) -> None:
    """Take no notice: nobody subscribed yet."""


def _name(agent: "Agent") -> str:
    return agent.manifest.name
