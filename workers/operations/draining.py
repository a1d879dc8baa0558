"""Agents that drain: until when, and which of them have nothing left. Pure: time comes in."""

from collections.abc import Callable
from typing import NamedTuple

from workers.agents.registry import Agent

_NS_PER_MS = 1_000_000


class Drained(NamedTuple):
    """An agent whose drain is over, with what is still open: messages, and active conversations."""

    agent: Agent
    messages: int
    conversations: int


class Draining:
    """Agents that take nothing new and finish what they have, each until its deadline at the latest.

    active_of: in how many active conversations an agent is. Times are monotonic, in nanoseconds.
    """

    def __init__(self, active_of: Callable[[int], int]) -> None:
        self._active_of = active_of
        self._until_ns: dict[int, tuple[Agent, int]] = {}

    def __len__(self) -> int:
        return len(self._until_ns)

    def begin(self, agent: Agent, now_ns: int, timeout_ms: int) -> None:
        """Let an agent drain for so long; for one that drains already this holds instead of what was said before."""
        self._until_ns[agent.agent_id] = agent, now_ns + timeout_ms * _NS_PER_MS

    def forget(self, agent_id: int) -> None:
        """It does not drain any more."""
        self._until_ns.pop(agent_id, None)

    def over(self, now_ns: int) -> list[Drained]:
        """Return those that have nothing left, and those whose deadline has passed."""
        found = []
        for agent, until_ns in self._until_ns.values():
            messages, conversations = agent.unfinished, self._active_of(agent.agent_id)
            if until_ns <= now_ns or not (messages or conversations):
                found.append(Drained(agent, messages, conversations))
        return found

    def left_ms(self, agent_id: int, now_ns: int) -> int:
        """Return for how long an agent may still drain, 0 for one that does not."""
        _, until_ns = self._until_ns.get(agent_id, (None, now_ns))
        return max(0, until_ns - now_ns) // _NS_PER_MS
