"""What the file holds goes back to its owners, before the shard serves: nothing acknowledged is ever lost."""

from collections.abc import Callable
from time import monotonic_ns

import msgspec

from caxton.acl.envelope import AUTOMATIC, Envelope, called
from caxton.agents.lifecycle import AgentState
from caxton.delivery.dead_letter import Reason
from caxton.delivery.retry import MAX_DELAY_MS
from caxton.errors import AgentNotFound, AgentNotRunning, SessionNotFound
from caxton.ids import SESSION_BIT, AgentId
from caxton.store.counters import SERVED
from caxton.store.recovered import InUnfinished, Recovered, StoredAt
from workers.agents.delivery import DURABLE_ROOT, ROW_SPAN, Delivery, StoredRow
from workers.agents.mailbox import entry_of
from workers.agents.registry import Agent, Registry
from workers.crash_note import AGENT, FORMER_SEQUENCE, FORMER_SOURCE, SEQUENCE, SOURCE, STORED_AS
from workers.durable.lane import DurableLane
from workers.durable.paging import delivery_of, is_poison
from workers.durable.suspects import MOST_DEATHS
from workers.worker_pass import NS_PER_MS

_decode = msgspec.msgpack.Decoder(list[Envelope]).decode


class Recovery:
    """Fills the durable lane, once, after the registry is loaded."""

    def __init__(self, lane: DurableLane, registry: Registry, lives: Callable[[int], bool]) -> None:
        self._lane = lane
        self._registry = registry
        self._lives = lives

    def charge(self, note: tuple[int, ...]) -> Agent | None:
        """The last worker died in a turn: charge its root, and its agent, which is returned if it has failed now."""
        if not note[AGENT]:
            return None
        suspects, journal = self._lane.suspects, self._lane.journal
        source, sequence = note[SOURCE], note[SEQUENCE]
        if source == journal.file and (sequence ^ DURABLE_ROOT) // ROW_SPAN > journal.last_number:
            # The file never got that row: what is sent again is what it was before.
            known = note[STORED_AS] == sequence
            source, sequence = (note[FORMER_SOURCE], note[FORMER_SEQUENCE]) if known else (0, 0)
        surely = bool(sequence & DURABLE_ROOT) and suspects.charge((source, sequence))
        deaths = suspects.charge_agent(note[AGENT])
        if surely and deaths >= MOST_DEATHS:
            suspects.condemn((source, sequence))
        agent = self._registry.find(note[AGENT])
        if agent is None:
            return None
        agent.counters["deaths"] = deaths
        return agent if deaths >= MOST_DEATHS else None

    def fill(self, found: Recovered) -> None:
        """Give everybody what is theirs."""
        lane = self._lane
        lane.journal.restore(found.next_number, found.counts.get(SERVED, 0))
        lane.journal.conversations.restore(found.conversations)
        lane.suspects.restore(found.charges)
        for agent_id, deaths in lane.suspects.agents.items():
            agent = self._registry.find(agent_id)
            if agent is not None:
                agent.counters["deaths"] = deaths
        for file, row in found.sources.items():
            lane.greetings.restore(file, row.taken, row.refusals)
        lane.outboxes.restore(found.targets, found.outbox)
        lane.keys.restore(found.keys)
        lane.dead_letters.restore(found.dead_letters)
        self._recall_absences(found)
        for agent_id, state in found.states.items():
            agent = self._registry.find(agent_id)
            if agent is not None:
                lane.journal.states.restore(agent, state)
            else:
                lane.journal.commit.states[agent_id] = None

    def _recall_absences(self, found: Recovered) -> None:
        agents, changed = self._registry.agents, self._lane.journal.absences.changed
        changed.clear()  # from before it was known what the file says
        changed.update(dict.fromkeys(found.absences.keys() - agents.keys()))
        for agent in agents.values():
            agent.recall(found.absences.get(agent.agent_id))

    def resume(self, found: Recovered) -> None:
        """Let every message that waits stand where it stood; what nobody can handle any more is dead."""
        rows = {number: StoredRow(number, row.size, row.done, row.marks) for number, row in found.unfinished.items()}
        if self._lane.disk.messages:
            self._lane.journal.rows = rows
        now_ms = self._lane.journal.wall_ms
        for at, waiting in found.waiting:
            delivery = delivery_of(at, waiting, rows, self._lane.journal.file)
            self._lane.journal.unfinished += 1
            self._place(delivery, at, now_ms)
        self._resume_disk()
        files = set(found.sources) | set(found.targets)
        for number in sorted(file for file in files if file >= SESSION_BIT):
            if not self._lives(number):
                self.end_session(number)

    def end_session(self, number: int) -> None:
        """A client is gone: what it has not acknowledged is dead."""
        lane = self._lane
        journal, dead_letters = lane.journal, lane.dead_letters
        error = SessionNotFound(str(AgentId(number)))
        lane.suspects.forget_source(number)
        outbox = lane.outboxes.by_target.pop(number, None)
        if outbox is not None:
            outbox.peer = None  # a commit that is being written has it too, and would send to a closed socket
        lane.greetings.sources.pop(number, None)
        for message in journal.end_session(number):
            journal.counts["accepted_agents"] += 1
            lane.attempts.bury(message, error, None, reason=Reason.SESSION_ENDED)
        for packed in outbox.frames if outbox is not None else ():
            journal.commit.settled.append(packed.number)
            for message in _decode(packed.messages):
                if message.flags & AUTOMATIC:
                    journal.counts["acknowledged_sessions"] += 1  # what it speaks of is a dead letter already
                else:
                    dead_letters.bury(message, error, reason=Reason.SESSION_ENDED, term="dead_outbox")
        journal.urgent = True

    def _place(self, delivery: Delivery, at: StoredAt, now_ms: int) -> None:
        lane, message = self._lane, delivery.message
        agent = self._registry.find(message.receiver)
        if agent is None:
            lane.attempts.bury(message, AgentNotFound(called(message)), delivery)
            return
        if agent.state is AgentState.STOPPED:  # its worker ended before all that waited for it was a dead letter
            error = AgentNotRunning(agent.label, agent.state.value)
            lane.attempts.bury(message, error, delivery, reason=Reason.AGENT_STOPPED)
            return
        agent.take_in(delivery)
        if is_poison(lane, agent, delivery):
            return
        due_ms = None if isinstance(at, InUnfinished) else at.next_retry_ms
        if due_ms is not None and due_ms > now_ms:
            wait_ms = min(due_ms - now_ms, MAX_DELAY_MS)  # the wall clock may have been turned back meanwhile
            self._wait_for_retry(agent, delivery, monotonic_ns() + wait_ms * NS_PER_MS)
        else:
            lane.placing.queue(agent, delivery)

    def _resume_disk(self) -> None:
        """What stays in the file for now waits there for its agents; without them, to become dead letters."""
        lane = self._lane
        lane.journal.unfinished += lane.disk.messages
        for own in lane.disk.recovered():
            agent = self._registry.find(own.receiver)
            if agent is None:
                lane.disk.end(own.receiver, AgentNotFound(f"{own.receiver:016x}"), Reason.AGENT_NOT_FOUND, [])
            elif agent.state is AgentState.STOPPED:
                error = AgentNotRunning(agent.label, agent.state.value)
                lane.disk.end(own.receiver, error, Reason.AGENT_STOPPED, [])

    def _wait_for_retry(self, agent: Agent, delivery: Delivery, due_ns: int) -> None:
        mailbox = agent.mailbox or agent.open_mailbox()
        mailbox.depth += 1
        if agent.waits_aside(delivery.message.sender):
            agent.set_aside(entry_of(delivery))
        else:
            self._lane.retries.hold(agent, entry_of(delivery), due_ns)
