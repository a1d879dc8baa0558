"""Who lives on this shard."""

from bisect import bisect_right
from collections import Counter, deque
from enum import IntFlag

from caxton.agents.lifecycle import AgentState, transition
from caxton.agents.manifest import Encoding, Manifest
from caxton.delivery.circuit_breaker import CircuitBreaker
from caxton.ids import AgentId
from workers.agents.mailbox import Entry, Mailbox, weight
from workers.sandbox.sandbox import Sandbox


class Hold(IntFlag):
    """Why no turn of an agent runs here. ATTACHED: a client runs its turns."""

    PAUSED = 2
    FAILED = 4
    BROKEN = 8
    ATTACHED = 16


class Agent:
    """One registered agent. The turn owns its sandbox, placing and the dispatcher its mailbox.

    takes, takes_durable: whether it is given messages of the lane; they wait while there are holds. saved: the state
    that its next instance is given. retrying: what waits for its retry, by sender, with what comes behind it;
    set_aside_weight: what all of that weighs. breaker: made at its first failure. attached: the session that runs its
    turns, 0 for none.
    """

    __slots__ = (
        "agent_id",
        "attached",
        "breaker",
        "capacity",
        "content_only",
        "counters",
        "drawn",
        "holds",
        "mailbox",
        "manifest",
        "max_content",
        "retrying",
        "run",
        "sandbox",
        "saved",
        "set_aside_weight",
        "state",
        "takes",
        "takes_durable",
    )

    def __init__(self, agent_id: int, manifest: Manifest) -> None:
        self.agent_id = agent_id
        self.manifest = manifest
        self.state = AgentState.UNLOADED
        self.takes = False
        self.content_only = manifest.encoding is Encoding.CONTENT
        self.max_content = manifest.limits.max_message_bytes
        self.capacity = manifest.limits.mailbox_capacity
        self.mailbox: Mailbox | None = None
        self.sandbox: Sandbox | None = None
        # A plain number, because every message looks at it.
        self.holds = 0
        self.takes_durable = False
        self.retrying: dict[int, deque[Entry]] | None = None
        self.set_aside_weight = 0
        self.breaker: CircuitBreaker | None = None
        self.saved = b""
        self.attached = 0
        # What the session was given and has not ended, by the number of the delivery; `Attached` owns it.
        self.drawn: dict[int, Entry] = {}
        # Turns that ended, whichever way. A field of its own, because every turn counts it.
        self.run = 0
        self.counters: dict[str, int] = {}

    @property
    def label(self) -> str:
        """The agent in an error's text: its name and id."""
        return f"{self.manifest.name} ({AgentId(self.agent_id)})"

    def open_mailbox(self) -> Mailbox:
        """Make the mailbox, and return it."""
        self.mailbox = Mailbox(self.capacity)
        return self.mailbox

    def become(self, target: AgentState) -> None:
        """Go to another state; raises InvalidStateTransition if there is no way."""
        self.state = transition(self.label, self.state, target)
        self._decide()

    def hold(self, why: Hold) -> None:
        """Let no turn run until `release`."""
        self.holds |= int(why)
        self._decide()

    def release(self, why: Hold) -> None:
        """This is no reason any more."""
        self.holds &= ~int(why)
        self._decide()

    def attach(self, session: int) -> None:
        """Let a session run its turns, or nobody (0)."""
        self.attached = session
        self._decide()

    def close(self) -> None:
        """Take nothing more: it is gone."""
        self.takes = self.takes_durable = False

    @property
    def busy(self) -> bool:
        """True while messages wait for it, or are with whoever runs its turns."""
        waits = self.mailbox is not None and self.mailbox.depth > 0
        return waits or bool(self.drawn) or self.retrying is not None

    def set_aside(self, entry: Entry) -> None:
        """Let a message wait for its retry, or behind one of its pair that does. It keeps its place in the depth."""
        if self.retrying is None:
            self.retrying = {}
        self.retrying.setdefault(entry[0].sender, deque()).append(entry)
        self.set_aside_weight += weight(len(entry[0].content))

    def waits_aside(self, sender: int) -> bool:
        """True while a message of a sender waits for its retry: later ones are to wait behind it."""
        return self.retrying is not None and sender in self.retrying

    def take_from_aside(self, sender: int) -> list[Entry]:
        """Return, and no longer hold, what waits of one pair, in order."""
        entries = [] if self.retrying is None else list(self.retrying.pop(sender, ()))
        self.set_aside_weight -= sum(weight(len(entry[0].content)) for entry in entries)
        if not self.retrying:
            self.retrying = None
        return entries

    def drawn_out(self) -> list[Entry]:
        """Take back what the session was given."""
        entries, self.drawn = list(self.drawn.values()), {}
        return entries

    def _decide(self) -> None:
        runs = self.state in {AgentState.RUNNING, AgentState.PAUSED} and not self.holds & Hold.BROKEN
        self.takes_durable = runs or self.state is AgentState.FAILED
        self.takes = runs and (self.attached > 0 or not self.holds & Hold.ATTACHED)

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter of this agent."""
        self.counters[name] = self.counters.get(name, 0) + n

    def close_sandbox(self) -> None:
        """Give the instance up; the next message makes a fresh one."""
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is not None:
            self.count("fuel", sandbox.fuel_used)
            sandbox.close()


class Registry:
    """The agents of this shard by id."""

    def __init__(self) -> None:
        self.agents: dict[int, Agent] = {}
        # How many of them are made from each module, by its sha256.
        self.modules: Counter[bytes] = Counter()
        # By name, for pages: sorted at the first page after a change, so that listing many sorts them once.
        self._sorted: list[Agent] | None = None

    def add(self, agent: Agent) -> None:
        """Enter an agent; whoever calls has checked that the id is free."""
        self.agents[agent.agent_id] = agent
        if agent.manifest.encoding is not Encoding.ATTACHED:
            self.modules[agent.manifest.module] += 1
        self._sorted = None

    def remove(self, agent_id: int) -> Agent | None:
        """Forget an agent."""
        self._sorted = None
        agent = self.agents.pop(agent_id, None)
        if agent is not None and agent.manifest.encoding is not Encoding.ATTACHED:
            self.modules[agent.manifest.module] -= 1
            if not self.modules[agent.manifest.module]:
                del self.modules[agent.manifest.module]
        return agent

    def find(self, agent_id: int) -> Agent | None:
        """Return the agent, or None."""
        return self.agents.get(agent_id)

    def page(self, after: str, limit: int) -> tuple[list[Agent], bool]:
        """Return up to `limit` agents by name after `after`, and whether there are more."""
        if self._sorted is None:
            self._sorted = sorted(self.agents.values(), key=_name)
        start = bisect_right(self._sorted, after, key=_name)
        return self._sorted[start : start + limit], len(self._sorted) > start + limit


def _name(agent: Agent) -> str:
    return agent.manifest.name


def state_of(agent: Agent) -> str:
    """Return the state of an agent as people are told it: also attached and detached."""
    if agent.state is AgentState.RUNNING and agent.holds & Hold.ATTACHED:
        return "attached" if agent.attached else "detached"
    return agent.state.value
