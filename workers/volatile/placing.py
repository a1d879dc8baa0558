"""One message: is its receiver here, does it take messages, is there room? To its mailbox, or back with the reason."""

from time import monotonic_ns
from typing import TypeGuard

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.errors import (
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    CircuitBreakerOpen,
    MessageTooLarge,
    SecurityError,
    ShardUnavailable,
    Unsupported,
)
from caxton.ids import SESSION_BIT
from caxton.placement.slot_table import SlotTable
from workers.agents.registry import Agent, Hold, Registry, state_of
from workers.queues.admission import Admission, origin_of
from workers.queues.dispatcher import Dispatcher, Take
from workers.queues.pressure import HERE
from workers.worker_pass import MAX_PASS_NS, Pass

Root = tuple[int, int]
# Why a client is refused while this worker ends.
DRAINING = "draining: its worker ends, or is replaced"
# When a message expires that does not wait: beyond any monotonic clock.
NEVER = 1 << 62


class Placing:
    """Gives messages to agents, mostly by their mailboxes. What cannot be placed is returned as an error."""

    def __init__(
        self, registry: Registry, dispatcher: Dispatcher, admission: Admission, shard: int, table: SlotTable
    ) -> None:
        self._agents = registry.agents
        self._dispatcher = dispatcher
        self.shard = shard
        self.table = table
        self._admission = admission

    def from_peer(
        self, messages: list[Envelope], source: int, first: int, a_pass: Pass, take: Take
    ) -> list[tuple[int, Envelope, CaxtonError]]:
        """Place a frame's messages, numbered from `first`; returns (sequence, message, why) of those that were not.

        If nobody waits for a turn when the frame comes, and as long as the pass has time left, an agent that is idle
        has its turn (`take`) at once: it would be next in line anyway, and a mailbox costs a tenth of the whole outbox.
        """
        refused: list[tuple[int, Envelope, CaxtonError]] = []
        find, now_ns, end_ns = self._agents.get, a_pass.now_ns, a_pass.now_ns + MAX_PASS_NS
        is_session = source >= SESSION_BIT
        room = self._admission
        begun = self._dispatcher.begun
        at_once = self._dispatcher.takes_at_once(roots=is_session)
        for sequence, message in enumerate(messages, first):
            agent = find(message.receiver)
            if (
                agent is None
                or not agent.takes
                or len(message.content) > agent.max_content
                or message.flags
                or (is_session and message.sender != source)
            ):
                if message.flags != AUTOMATIC or is_session:
                    refused.append((sequence, message, self.why_not(agent, message, source)))
                    continue
                if not reads_failures(agent, a_pass):
                    continue
            mailbox = agent.mailbox
            if at_once and (mailbox is None or not mailbox.depth) and not agent.holds:
                a_pass.turns += 1
                at_once = take(agent, message, source, sequence, NEVER, None) < end_ns and not begun
                continue
            full = room.root(agent, source) if is_session else room.effect(agent, message, a_pass, credited=True)
            if full is not None:
                refused.append((sequence, message, full))
                continue
            mailbox = agent.mailbox or agent.open_mailbox()
            origin = 0 if is_session else message.sender
            self._dispatcher.enqueue(agent, mailbox, message, source, sequence, now_ns, origin)
        return refused

    def from_agent(self, agent: Agent | None, message: Envelope, root: Root, a_pass: Pass) -> CaxtonError | None:
        """Place what an agent of this shard, or the runtime itself, sent to `agent`; returns why not, or None."""
        if agent is None or not agent.takes or len(message.content) > agent.max_content or message.flags & AUTOMATIC:
            if not message.flags & AUTOMATIC:
                return self.why_not(agent, message, HERE)
            if not reads_failures(agent, a_pass):
                return None
        full = self._admission.effect(agent, message, a_pass)
        if full is not None:
            return full
        mailbox = agent.mailbox or agent.open_mailbox()
        self._dispatcher.enqueue(agent, mailbox, message, *root, a_pass.now_ns, origin_of(message, a_pass))
        a_pass.counts["local"] += 1
        return None

    def why_not(  # noqa: PLR0911 (a reason each)
        self, agent: Agent | None, message: Envelope, source: int
    ) -> CaxtonError:
        """Return why an agent, or nobody, does not take a message."""
        if source >= SESSION_BIT and message.sender != source:
            return SecurityError(f"the sender {message.sender:016x} is not who sent this, {source:016x}")
        if message.flags & AUTOMATIC:
            return SecurityError("only the runtime marks a message as automatic")
        if agent is None:
            return self._nobody(message)
        if agent.holds & Hold.BROKEN and agent.breaker is not None:
            return CircuitBreakerOpen(agent.label, agent.breaker.retry_in_s(monotonic_ns()))
        if not agent.takes:
            return AgentNotRunning(agent.label, state_of(agent))
        if len(message.content) <= agent.max_content:
            return SecurityError(f"flags {message.flags} are not those of this lane")
        return MessageTooLarge.of(len(message.content), agent.max_content)

    def _nobody(self, message: Envelope) -> CaxtonError:
        if message.receiver >= SESSION_BIT:
            return Unsupported("a message from a client to a session, or to everybody", "send to an agent")
        owner = self.table.shard_of(message.receiver)
        if owner != self.shard:
            return ShardUnavailable(owner, f"not here: this is shard {self.shard}, table version {self.table.version}")
        return AgentNotFound(f"{message.receiver:016x}")


def reads_failures(agent: Agent | None, a_pass: Pass) -> TypeGuard[Agent]:
    """True when an automatic message is worth placing: a content agent could not tell it from any other."""
    if agent is not None and agent.takes and not agent.content_only:
        return True
    a_pass.counts["failures_dropped"] += 1
    return False
