"""What the states of a shard's agents come to. Each is in memory, for the agent's next instance, and in the file."""

from caxton.errors import ResourceExhausted
from workers.agents.registry import Agent


class States:
    """Owned by the worker's loop. bytes: of all states. most: what they may come to.

    What is kept stays, also where it is more than that: the number was lowered, or there are fewer shards now. A state
    that is no larger than the agent's last one always fits.
    """

    def __init__(self, most: int) -> None:
        self.bytes = 0
        self.most = most
        # By agent whose last state was refused, by how much that would have been larger.
        self._wanted: dict[int, int] = {}

    def restore(self, agent: Agent, state: bytes) -> None:
        """Know the state that the file has of an agent."""
        self.bytes += len(state) - len(agent.saved)
        agent.saved = state

    def check(self, agent: Agent, state: bytes) -> None:
        """Raise ResourceExhausted for a state for which there is no room."""
        more = len(state) - len(agent.saved)
        if more > 0 and self.bytes + more > self.most:
            self._wanted[agent.agent_id] = more
            raise ResourceExhausted(f"bytes of states of all agents of this shard, for {agent.label}", self.most)

    def keep(self, agent: Agent, state: bytes) -> None:
        """Let this be an agent's state. Raises ResourceExhausted, and then it is what it was."""
        self.check(agent, state)
        self._wanted.pop(agent.agent_id, None)
        self.restore(agent, state)

    def forget(self, agent: Agent) -> None:
        """An agent is gone, and its state with it."""
        self._wanted.pop(agent.agent_id, None)
        self.restore(agent, b"")

    @property
    def refused(self) -> list[int]:
        """Return the agents whose last state was refused, as far as there is no room for it yet."""
        return [agent_id for agent_id, more in self._wanted.items() if self.bytes + more > self.most]
