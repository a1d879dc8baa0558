"""Effects that wait for room: of an agent whose receiver is full, or the way there is.

The agent runs no turn meanwhile; everybody else goes on. Effects that waited beyond their timeout come back to it.
"""

from collections import OrderedDict

from caxton.acl.envelope import Envelope
from caxton.acl.options import DEFAULT_TIMEOUT_MS
from workers.agents.registry import Agent, Hold
from workers.worker_pass import NS_PER_MS


def shard_key(shard: int) -> int:
    """Return what messages wait for whose shard has no worker now: below zero, where nobody's id is."""
    return -1 - shard


class Parked:
    """One agent's effects, in order, with their root and since when the first of them waits (monotonic ns).

    Effects of the durable lane never wait, only the agent: then there are none.
    """

    __slots__ = ("agent", "effects", "root", "since_ns", "timeout_ms")

    def __init__(self, agent: Agent, effects: list[Envelope], root: tuple[int, int], since_ns: int) -> None:
        self.agent = agent
        self.effects = effects
        self.root = root
        self.since_ns = since_ns
        self.timeout_ms = effects[0].timeout_ms if effects else DEFAULT_TIMEOUT_MS


class Parking:
    """Who waits for what. A key is what has no room: an agent's id, or a peer's number, or a shard without a worker.

    At most one entry per agent, of at most a turn's effects; so it is bounded by the agents there are. messages: how
    many effects wait.
    """

    def __init__(self) -> None:
        # Key → agent's id → its effects, who came first first; and agent's id → key.
        self._waiting: dict[int, OrderedDict[int, Parked]] = {}
        self._key_of: dict[int, int] = {}
        self.messages = 0

    @property
    def waits(self) -> bool:
        """True while any agent waits."""
        return bool(self._waiting)

    def park(self, parked: Parked, key: int) -> None:
        """Let an agent wait for `key`, behind those who wait for it."""
        agent = parked.agent
        agent.hold(Hold.PARKED)
        self.messages += len(parked.effects)
        self._waiting.setdefault(key, OrderedDict())[agent.agent_id] = parked
        self._key_of[agent.agent_id] = key

    def wake(self, key: int) -> Parked | None:
        """Return, and no longer hold, who is first in line for `key`; whoever calls lets it try again."""
        waiting = self._waiting.get(key)
        return None if waiting is None else self._leave(next(iter(waiting.values())))

    def key_of(self, agent: Agent) -> int | None:
        """Return what an agent waits for."""
        return self._key_of.get(agent.agent_id)

    def keep_place(self, before: Parked) -> None:
        """Let an agent that was woken and is parked again be first in line, since it first came, if nothing left."""
        agent_id = before.agent.agent_id
        waiting = self._waiting[self._key_of[agent_id]]
        if len(waiting[agent_id].effects) == len(before.effects):
            waiting.move_to_end(agent_id, last=False)
            waiting[agent_id].since_ns = before.since_ns

    def expired(self, now_ns: int) -> list[Parked]:
        """Return, and no longer hold, those whose first effect waited beyond its timeout."""
        late = [
            parked
            for waiting in self._waiting.values()
            for parked in waiting.values()
            if now_ns - parked.since_ns > parked.timeout_ms * NS_PER_MS
        ]
        return [self._leave(parked) for parked in late]

    def forget(self, agent: Agent) -> list[Envelope]:
        """Return, and no longer hold, the effects of an agent that was stopped or removed."""
        key = self._key_of.get(agent.agent_id)
        return [] if key is None else self._leave(self._waiting[key][agent.agent_id]).effects

    def waited_for(self) -> list[int]:
        """What somebody waits for."""
        return list(self._waiting)

    def _leave(self, parked: Parked) -> Parked:
        agent = parked.agent
        key = self._key_of.pop(agent.agent_id)
        waiting = self._waiting[key]
        del waiting[agent.agent_id]
        if not waiting:
            del self._waiting[key]
        agent.release(Hold.PARKED)
        self.messages -= len(parked.effects)
        return parked
