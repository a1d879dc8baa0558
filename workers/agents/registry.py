"""Who lives on this shard."""

from collections import Counter, deque
from collections.abc import Sequence
from enum import IntFlag
from typing import NamedTuple

from sortedcontainers import SortedKeyList

from caxton.agents.lifecycle import AgentState, transition
from caxton.agents.limits import DEFAULT_CAPACITY
from caxton.agents.manifest import Encoding, Health, Manifest
from caxton.agents.names import NamePattern
from caxton.delivery.circuit_breaker import CircuitBreaker
from caxton.delivery.served_time import ServedTime
from caxton.errors import ResourceExhausted
from caxton.ids import AgentId
from caxton.store.commit import AbsenceRow
from workers.agents.absences import NEVER_AWAY, Absences, changed, present_ms
from workers.agents.delivery import Delivery
from workers.agents.group import Group
from workers.agents.long_turns import LongTurns
from workers.agents.mailbox import Entry, Mailbox, weight
from workers.agents.offers import Offers
from workers.agents.registered_bytes import MOST_REGISTERED_BYTES, registered_bytes
from workers.sandbox.sandbox import Sandbox


class Hold(IntFlag):
    """Why no turn of an agent runs here. ATTACHED: a client runs its turns."""

    PAUSED = 2
    FAILED = 4
    BROKEN = 8
    ATTACHED = 16


# While one of these holds, nobody could have a message; nor while no client runs the turns of an attached agent.
_ABSENT = int(Hold.PAUSED | Hold.FAILED | Hold.BROKEN)


class Agent:
    """One registered agent. The turn owns its sandbox, placing and the dispatcher its mailbox.

    takes, takes_durable: whether it is given messages of the lane; they wait while there are holds. saved: the state
    that its next instance is given. retrying: what waits for its retry, by sender, with what comes behind it;
    set_aside_weight: what all of that weighs. breaker: made at its first failure. attached: the session that runs its
    turns, 0 for none. absence: how it stands with the times in which it cannot have messages.
    """

    __slots__ = (
        "_absences",
        "absence",
        "agent_id",
        "attached",
        "breaker",
        "capacity",
        "concurrency",
        "content_only",
        "counters",
        "drawn",
        "group",
        "holds",
        "long_turns",
        "looked",
        "mailbox",
        "manifest",
        "max_content",
        "offers",
        "replaced",
        "retrying",
        "run",
        "sandbox",
        "saved",
        "set_aside_weight",
        "state",
        "takes",
        "takes_durable",
        "took_ns",
    )

    def __init__(self, agent_id: int, manifest: Manifest, absences: Absences | None = None) -> None:
        self._absences = absences or Absences(ServedTime())
        # Who is told when this becomes another candidate, once it is registered and has capabilities.
        self.offers: Offers | None = None
        self.absence = NEVER_AWAY
        self.agent_id = agent_id
        self.manifest = manifest
        self.state = AgentState.UNLOADED
        self.takes = False
        self.content_only = manifest.encoding is Encoding.CONTENT
        self.max_content = manifest.limits.max_message_bytes
        self.capacity = manifest.limits.mailbox_capacity or DEFAULT_CAPACITY
        self.mailbox: Mailbox | None = None
        self.sandbox: Sandbox | None = None
        # A plain number, because every message looks at it.
        self.holds = 0
        self.takes_durable = False
        # Of one that has computed for long when it came to its turn: see `workers.queues.turn_time`.
        self.long_turns: LongTurns | None = None
        self.retrying: dict[int, deque[Entry]] | None = None
        self.set_aside_weight = 0
        self.breaker: CircuitBreaker | None = None
        self.saved = b""
        self.attached = 0
        # The programs that share it, None while one has it alone or none has; `attached` is one of them.
        self.group: Group | None = None
        # The sessions that it was taken from, the last few of them: they are told when they ask.
        self.replaced: tuple[int, ...] = ()
        # What sessions were given and have not ended, by the number of the delivery; `Attached` owns it.
        self.drawn: dict[int, Entry] = {}
        # How many of these, or keys of these, it handles at a time, as it said last.
        self.concurrency = 1
        # Turns that ended, whichever way. A field of its own, because every turn counts it.
        self.run = 0
        # What its turns took, about: those that were measured, each for all of its pass.
        self.took_ns = 0
        # Turns, their time and failures, when it was last looked who is busy.
        self.looked = (0, 0, 0)
        self.counters: dict[str, int] = {}

    @property
    def label(self) -> str:
        """The agent in an error's text: its name and id."""
        return f"{self.manifest.name} ({AgentId(self.agent_id)})"

    @property
    def known(self) -> tuple[str, int]:
        """Its name and its id, for events."""
        return self.manifest.name, self.agent_id

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
        return self.unfinished > 0

    @property
    def unfinished(self) -> int:
        """How many messages wait for it, or are with whoever runs its turns: both keep their places in the depth."""
        depth = 0 if self.mailbox is None else self.mailbox.depth
        return max(depth, len(self.drawn), self.retrying is not None)

    def finishes(self, *, durable: bool) -> bool:
        """Whether it drains, and could have a message of a conversation that it still takes part in."""
        if self.state is not AgentState.DRAINING or self.holds & Hold.BROKEN:
            return False
        return durable or self.attached > 0 or not self.holds & Hold.ATTACHED

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

    def drawn_out(self) -> dict[int, Entry]:
        """Take back what the session was given."""
        drawn, self.drawn = self.drawn, {}
        return drawn

    @property
    def present_ms(self) -> int:
        """For how long it could have had messages: the clock that the timeouts of durable ones go by."""
        return present_ms(self.absence, self._absences.served.now_ms)

    def take_in(self, delivery: Delivery) -> Delivery:
        """Let the time of a message begin that has to wait, or go on if it has begun, and return it."""
        served = self._absences.served
        if delivery.due_ms < 0:
            delivery.came_ms = served.now_ms
            delivery.due_ms = present_ms(self.absence, served.now_ms) + delivery.message.timeout_ms
        delivery.since_ns = served.since_ns(delivery.came_ms)
        return delivery

    def recall(self, row: AbsenceRow | None) -> None:
        """Go on from what the file knows of its absences."""
        self.absence = row or NEVER_AWAY
        self._decide()

    def _decide(self) -> None:
        runs = self.state in {AgentState.RUNNING, AgentState.PAUSED} and not self.holds & Hold.BROKEN
        self.takes_durable = runs or self.state is AgentState.FAILED
        self.takes = runs and (self.attached > 0 or not self.holds & Hold.ATTACHED)
        absent = bool(self.holds & _ABSENT) or (self.holds & Hold.ATTACHED > 0 and not self.attached)
        if self.offers is not None:
            self.offers.changed(self)
        row = changed(self.absence, self._absences.served.now_ms, absent=absent)
        if row is not self.absence:
            self.absence = self._absences.changed[self.agent_id] = row

    @property
    def is_healthy(self) -> bool:
        """Whether it is a candidate for messages to its capabilities: it runs, and whoever runs its turns is there.

        An operator's word goes before; but who takes no messages is never one.
        """
        health = self.manifest.health
        if health is not Health.AUTO:
            return self.takes and health is Health.HEALTHY
        return self.takes and self.state is AgentState.RUNNING and not self.holds & _ABSENT

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter of this agent."""
        self.counters[name] = self.counters.get(name, 0) + n

    def close_sandbox(self) -> None:
        """Give the instance up; the next message makes a fresh one."""
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is not None:
            self.count("fuel", sandbox.fuel_used)
            sandbox.close()


# Agents that are looked at for one page: the next page goes on, and messages have their turn between. A pattern at its
# worst costs 10 µs each.
MOST_LOOKED_AT = 1_000
# A page ends at this many bytes of names and capabilities, as those are counted: a few ms to make, and to read.
MOST_PAGE_BYTES = 1 << 20


def looked_at(among: Sequence[NamePattern]) -> int:
    """Return how many agents are looked at for one page of those that fit one of these patterns."""
    return max(1, MOST_LOOKED_AT // max(1, len(among)))


def fits_one(name: str, among: Sequence[NamePattern]) -> bool:
    """Return whether a name fits one of these patterns, or there are none."""
    return not among or any(pattern.fits(name) for pattern in among)


class AgentPage(NamedTuple):
    """Some agents, and where the next page goes on: there may be more after the name `after`."""

    agents: list[Agent]
    more: bool
    after: str


class Registry:
    """The agents of this shard by id. bytes: what their names and capabilities take in memory, about."""

    def __init__(self) -> None:
        self.bytes = 0
        self.agents: dict[int, Agent] = {}
        self.offers = Offers()
        # How many of them are made from each module, by its sha256.
        self.modules: Counter[bytes] = Counter()
        # By name, for pages: made for the first one, and kept sorted from then on.
        self._sorted: SortedKeyList | None = None

    def add(self, agent: Agent) -> None:
        """Enter an agent; whoever calls has checked that the id is free."""
        self.agents[agent.agent_id] = agent
        self.bytes += registered_bytes(agent.manifest)
        if agent.manifest.capabilities:
            self.offers.add(agent)
        if agent.manifest.encoding is not Encoding.ATTACHED:
            self.modules[agent.manifest.module] += 1
        if self._sorted is not None:
            self._sorted.add(agent)

    def remove(self, agent_id: int) -> Agent | None:
        """Forget an agent."""
        agent = self.agents.pop(agent_id, None)
        if agent is None:
            return None
        if self._sorted is not None:
            self._sorted.remove(agent)
        self.bytes -= registered_bytes(agent.manifest)
        if agent.offers is not None:
            self.offers.remove(agent)
        if agent.manifest.encoding is not Encoding.ATTACHED:
            self.modules[agent.manifest.module] -= 1
            if not self.modules[agent.manifest.module]:
                del self.modules[agent.manifest.module]
        return agent

    def replace(self, agent: Agent, manifest: Manifest) -> None:
        """Let an agent have another manifest, of the same name and module. Raises ResourceExhausted."""
        before = agent.manifest
        more = registered_bytes(manifest) - registered_bytes(before)
        if more > 0:
            self.check_room(more)
        self.bytes += more
        agent.manifest = manifest
        self.offers.replace(agent, before.capabilities)

    def check_room(self, more: int) -> None:
        """Raise ResourceExhausted if names and capabilities are not to take so many more bytes."""
        if self.bytes + more > MOST_REGISTERED_BYTES:
            raise ResourceExhausted("bytes of names and capabilities on this shard", MOST_REGISTERED_BYTES)

    def find(self, agent_id: int) -> Agent | None:
        """Return the agent, or None."""
        return self.agents.get(agent_id)

    def page(
        self,
        after: str,
        limit: int,
        name: NamePattern | None = None,
        state: str | None = None,
        among: Sequence[NamePattern] = (),
    ) -> AgentPage:
        """Return up to `limit` agents by name after `after`, of those whose name fits and who are in this state.

        among: patterns of which their names are to fit one, if there are any.
        """
        if self._sorted is None:
            self._sorted = SortedKeyList(self.agents.values(), key=_name)
        start = self._sorted.bisect_key_right(after)
        beginning = "" if name is None else name.beginning
        begins = [pattern.beginning for pattern in among] or [beginning]
        first = max(beginning, min(begins))
        if first > after:
            start = self._sorted.bisect_key_left(first)
        found: list[Agent] = []
        at, size = start, 0
        for agent in self._sorted.islice(start, start + looked_at(among)):
            called = agent.manifest.name
            if not called.startswith(beginning) or _is_behind(called, begins):
                return AgentPage(found, more=False, after=after)
            at += 1
            after = called
            if (
                (name is None or name.fits(called))
                and fits_one(called, among)
                and (state is None or state == state_of(agent))
            ):
                found.append(agent)
                size += registered_bytes(agent.manifest)
                if len(found) == limit or size >= MOST_PAGE_BYTES:
                    break
        return AgentPage(found, at < len(self._sorted), after)


def _is_behind(name: str, beginnings: Sequence[str]) -> bool:
    """Return whether no name from this one on has one of these beginnings."""
    return all(name > beginning and not name.startswith(beginning) for beginning in beginnings)


def _name(agent: Agent) -> str:
    return agent.manifest.name


def state_of(agent: Agent) -> str:
    """Return the state of an agent as people are told it: also attached and detached."""
    if agent.state is AgentState.RUNNING and agent.holds & Hold.ATTACHED:
        return "attached" if agent.attached else "detached"
    return agent.state.value
