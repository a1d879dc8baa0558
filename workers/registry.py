"""Who lives on this shard."""

from bisect import bisect_right

from caxton.agents.lifecycle import AgentState, transition
from caxton.agents.manifest import Encoding, Manifest
from caxton.ids import AgentId
from workers.mailbox import Mailbox
from workers.sandbox.sandbox import Sandbox


class Agent:
    """One registered agent. The turn owns its sandbox, placing and the dispatcher its mailbox, parking its effects."""

    __slots__ = (
        "agent_id",
        "capacity",
        "content_only",
        "counters",
        "mailbox",
        "manifest",
        "max_content",
        "parked",
        "run",
        "sandbox",
        "state",
        "takes",
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
        # True while effects of its last turn wait for room; no turn of it runs meanwhile.
        self.parked = False
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
        self.takes = self.state is AgentState.RUNNING

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
        # By name, for pages: sorted at the first page after a change, so that listing many sorts them once.
        self._sorted: list[Agent] | None = None

    def add(self, agent: Agent) -> None:
        """Enter an agent; whoever calls has checked that the id is free."""
        self.agents[agent.agent_id] = agent
        self._sorted = None

    def remove(self, agent_id: int) -> Agent | None:
        """Forget an agent."""
        self._sorted = None
        return self.agents.pop(agent_id, None)

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
