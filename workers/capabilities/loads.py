"""How much agents have to do, worked out from what is counted anyway: no message is timed for it.

What waits in an agent's queue, divided by how many messages it ends in a second, is how long one waits (Little's law).
"""

from collections.abc import Mapping
from time import monotonic_ns

from caxton.agents.manifest import DEFAULT_WEIGHT
from caxton.capabilities.candidates import Candidate
from workers.agents.registry import Agent, Registry

# An agent that nobody looked at for so long begins anew.
FORGOTTEN_NS = 5_000_000_000
# Between two looks that count: closer ones see the same.
_LEAST_NS = 50_000_000
_NS_PER_US = 1_000


class _Lately:
    __slots__ = ("queued", "response_us", "run", "seen_ns")

    def __init__(self, agent: Agent, now_ns: int) -> None:
        self.run = agent.run
        self.queued = _queued(agent)
        self.seen_ns = now_ns
        self.response_us = 0


class Loads:
    """The candidates of a shard, as others are told of them; `caxton.capabilities.publication` asks for them.

    active: in how many active conversations each agent is; who is in none is not there.
    """

    def __init__(self, registry: Registry, active: Mapping[int, int]) -> None:
        self._active = active
        self._agents = registry.agents
        self._offers = registry.offers
        self._lately: dict[int, _Lately] = {}

    def candidates(self, names: tuple[str, ...], most: int, most_looked_at: int) -> tuple[list[Candidate], int]:
        """Return up to `most` that have all of these, are healthy and run, and how many agents were looked at.

        What they have to do is told a tenth of a second later, when it is looked at.
        """
        offers = self._offers
        ids, unhealthy, weight_of = offers.some_with_all(names, most_looked_at), offers.unhealthy, offers.weights.get
        healthy = [agent_id for agent_id in ids if agent_id not in unhealthy] if unhealthy else ids
        return [Candidate(agent_id, weight_of(agent_id, DEFAULT_WEIGHT)) for agent_id in healthy[:most]], len(ids)

    def candidate(self, agent_id: int, names: tuple[str, ...]) -> Candidate | None:
        """Return an agent that has all of these, is healthy and runs; None for any other."""
        agent = self._able(agent_id, names)
        if agent is None:
            return None
        lately, active = self._lately.get(agent_id), self._active.get(agent_id, 0)
        return Candidate(
            agent_id, agent.manifest.weight, active, _queued(agent), 0 if lately is None else lately.response_us
        )

    def weighed(self, agent_id: int, names: tuple[str, ...]) -> Candidate | None:
        """Return the same, after a look at how long messages wait for it now."""
        agent = self._able(agent_id, names)
        if agent is None:
            return None
        active = self._active.get(agent_id, 0)
        return Candidate(agent_id, agent.manifest.weight, active, _queued(agent), self._response_us(agent))

    def _able(self, agent_id: int, names: tuple[str, ...]) -> Agent | None:
        agent = self._agents.get(agent_id)
        if agent is None or not agent.is_healthy:
            return None
        able = agent.manifest.capabilities
        for name in names:
            if name not in able:
                return None
        return agent

    def forget_idle(self) -> None:
        """Keep nothing of agents that nobody looks at any more."""
        before_ns = monotonic_ns() - FORGOTTEN_NS
        self._lately = {agent_id: lately for agent_id, lately in self._lately.items() if lately.seen_ns > before_ns}

    def _response_us(self, agent: Agent) -> int:
        """Return for how long a message lately waited and was handled: a moving average, that idleness wears off."""
        now_ns = monotonic_ns()
        lately = self._lately.get(agent.agent_id)
        if lately is None:
            self._lately[agent.agent_id] = _Lately(agent, now_ns)
            return 0
        passed_ns = now_ns - lately.seen_ns
        if passed_ns < _LEAST_NS:
            return lately.response_us
        queued, ended = _queued(agent), agent.run - lately.run
        if ended > 0:
            sample_us = (queued + lately.queued) * passed_ns // (2 * ended * _NS_PER_US)
        elif queued:
            oldest_ns = None if agent.mailbox is None else agent.mailbox.oldest_ns()
            waited_ns = passed_ns if oldest_ns is None else now_ns - oldest_ns
            sample_us = max(lately.response_us, waited_ns // _NS_PER_US)
        else:
            sample_us = lately.response_us // 2
        lately.response_us = (3 * lately.response_us + sample_us) // 4
        lately.run, lately.queued, lately.seen_ns = agent.run, queued, now_ns
        return lately.response_us


def _queued(agent: Agent) -> int:
    return 0 if agent.mailbox is None else agent.mailbox.depth
