"""Effects that wait for room: of an agent whose receiver is full, or whose way there is.

The agent runs no turn meanwhile; everybody else goes on. Effects that waited beyond their timeout come back to it.
"""

from collections import deque

from caxton.acl.envelope import Envelope
from workers.registry import Agent
from workers.worker_pass import NS_PER_MS


class Parked:
    """One agent's effects, in order, with their root and when they were parked (monotonic ns)."""

    __slots__ = ("agent", "effects", "root", "since_ns")

    def __init__(self, agent: Agent, effects: list[Envelope], root: tuple[int, int], since_ns: int) -> None:
        self.agent = agent
        self.effects = effects
        self.root = root
        self.since_ns = since_ns


class Parking:
    """Who waits for what. A key is what has no room: an agent's id, or a peer's number, or a shard without a worker.

    At most one entry per agent, of at most a turn's effects; so it is bounded by the agents there are.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, deque[Parked]] = {}
        self.messages = 0

    def park(self, parked: Parked, key: int) -> None:
        """Let an agent wait until `wake(key)`."""
        parked.agent.parked = True
        self.messages += len(parked.effects)
        self._waiting.setdefault(key, deque()).append(parked)

    def wake(self, key: int) -> list[Parked]:
        """Return, and no longer hold, everybody who waited for `key`; whoever calls lets them try again."""
        woken = self._waiting.pop(key, None)
        if woken is None:
            return []
        for parked in woken:
            self._leave(parked)
        return list(woken)

    def expired(self, now_ns: int) -> list[Parked]:
        """Return, and no longer hold, those whose first effect waited beyond its timeout."""
        late = []
        for key, waiting in list(self._waiting.items()):
            while waiting and now_ns - waiting[0].since_ns > waiting[0].effects[0].timeout_ms * NS_PER_MS:
                late.append(waiting.popleft())
                self._leave(late[-1])
            if not waiting:
                del self._waiting[key]
        return late

    def forget(self, agent: Agent) -> list[Envelope]:
        """Return, and no longer hold, the effects of an agent that was stopped or removed."""
        for key, waiting in list(self._waiting.items()):
            for parked in [p for p in waiting if p.agent is agent]:
                waiting.remove(parked)
                self._leave(parked)
                if not waiting:
                    del self._waiting[key]
                return parked.effects
        return []

    def waited_for(self) -> list[int]:
        """What somebody waits for."""
        return list(self._waiting)

    def _leave(self, parked: Parked) -> None:
        parked.agent.parked = False
        self.messages -= len(parked.effects)
