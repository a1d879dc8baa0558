"""Other shards for which so much waits here that agents whose effects go there begin nothing new. Time comes in."""

from collections.abc import Mapping

from workers.agents.registry import Agent
from workers.worker_pass import NS_PER_MS

# After so long an agent that waits may begin one root all the same, in case the next ones lead elsewhere; each time
# that its effects went there again it waits twice as long for the next, and at last as long as the second says.
FIRST_WAIT_NS, LONGEST_WAIT_NS = 250 * NS_PER_MS, 256_000 * NS_PER_MS


class _Feeder:
    """An agent whose roots had effects for a crowded shard. until_ns: when it may try again; waits: until then."""

    __slots__ = ("until_ns", "wait_ns", "waits")

    def __init__(self, now_ns: int) -> None:
        self.wait_ns = FIRST_WAIT_NS
        self.until_ns = now_ns + FIRST_WAIT_NS
        self.waits = True

    def again(self, now_ns: int) -> None:
        self.wait_ns = min(self.wait_ns * 2, LONGEST_WAIT_NS)
        self.until_ns = now_ns + self.wait_ns
        self.waits = True


class FarShards:
    """Who waits for which shard. agents: those that are registered; of others nothing is kept.

    crowded: by shard, for which much waits, who has sent there since. Whoever puts a message where it waits for another
    shard tells `met`; whoever finds that less waits there, or that time has gone by, lets go on whom it is told.
    """

    def __init__(self, agents: Mapping[int, Agent]) -> None:
        self._agents = agents
        self.crowded: dict[int, dict[int, _Feeder]] = {}

    def met(self, shard: int, origin: int, now_ns: int) -> None:
        """An effect of what was begun for the agent `origin` met a crowded shard: its roots wait from now on."""
        feeders = self.crowded.setdefault(shard, {})
        feeder = feeders.get(origin)
        if feeder is not None:
            if not feeder.waits:
                feeder.again(now_ns)
        elif origin in self._agents:
            feeders[origin] = _Feeder(now_ns)

    def keeps_back(self, agent_id: int) -> bool:
        """Whether an agent's roots wait for a shard."""
        return any(agent_id in feeders and feeders[agent_id].waits for feeders in self.crowded.values())

    def kept_back(self) -> dict[int, list[int]]:
        """Return, by shard, the agents whose roots wait for it."""
        return {
            shard: [agent_id for agent_id, feeder in feeders.items() if feeder.waits]
            for shard, feeders in self.crowded.items()
        }

    def has_room(self, shard: int) -> list[Agent]:
        """Little enough waits for a shard: forget who has sent there; returns who may go on."""
        feeders = self.crowded.pop(shard)
        return self._free([agent_id for agent_id, feeder in feeders.items() if feeder.waits])

    def due(self, now_ns: int) -> list[Agent]:
        """Let those try again who have waited long enough; returns them."""
        tried = []
        for feeders in self.crowded.values():
            for agent_id, feeder in feeders.items():
                if feeder.waits and feeder.until_ns <= now_ns:
                    feeder.waits = False
                    tried.append(agent_id)
        return self._free(tried)

    def forget(self, agent_id: int) -> None:
        """An agent takes nothing more."""
        for feeders in self.crowded.values():
            feeders.pop(agent_id, None)

    def _free(self, agent_ids: list[int]) -> list[Agent]:
        return [self._agents[number] for number in agent_ids if number in self._agents and not self.keeps_back(number)]
