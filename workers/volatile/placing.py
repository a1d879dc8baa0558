"""One message: is its receiver here, does it take messages, is there room? To its mailbox, or back with the reason."""

from time import monotonic_ns
from typing import TypeGuard

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope, called
from caxton.delivery.causes import as_root
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
from workers.conversations.conversations import Conversations
from workers.queues.admission import Admission
from workers.queues.backlogs import origin_of
from workers.queues.claims import Claims
from workers.queues.deadlocks import deadlock
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import HERE
from workers.queues.timed_turn import Take
from workers.worker_pass import MAX_PASS_NS, NEVER, Pass

Root = tuple[int, int]
# Why a client is refused while this worker ends.
DRAINING = "draining: its worker ends, or is replaced"


class Placing:
    """Gives messages to agents, mostly by their mailboxes. What cannot be placed is returned as an error."""

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        admission: Admission,
        conversations: Conversations,
        claims: Claims,
        shard: int,
        table: SlotTable,
    ) -> None:
        self._agents = registry.agents
        self._dispatcher = dispatcher
        self.shard = shard
        self.table = table
        self._admission = admission
        self.claims = claims
        self._converse = conversations.take
        self._involves = conversations.involves

    def from_peer(  # noqa: C901 (the way of every message: a call more would cost as much as it tidies)
        self, messages: list[Envelope], source: int, first: int, a_pass: Pass, take: Take, principal: str
    ) -> list[tuple[int, Envelope, CaxtonError]]:
        """Place a frame's messages, numbered from `first`; returns (sequence, message, why) of those that were not.

        principal: for whom a session acts that sent them, "" for the runtime's owner.

        If nobody waits for a turn when the frame comes, and as long as the pass has time left, an agent that is idle
        has its turn (`take`) at once: it would be next in line anyway, and a mailbox costs a tenth of the whole outbox.
        """
        refused: list[tuple[int, Envelope, CaxtonError]] = []
        find, now_ns, end_ns = self._agents.get, a_pass.now_ns, a_pass.now_ns + MAX_PASS_NS
        is_session = source >= SESSION_BIT
        room = self._admission
        crowded = room.crowded(principal, messages) if is_session else None
        begun, crowded_shards = self._dispatcher.begun, self._dispatcher.far.crowded
        at_once = self._dispatcher.takes_at_once(now_ns, roots=is_session)
        for sequence, message in enumerate(messages, first):
            agent = find(message.receiver)
            if (
                is_session
                and message.cause is not None
                and (wrong := self.claims.refusal(message, source, principal, a_pass)) is not None
            ):
                refused.append((sequence, message, wrong))
                continue
            if (
                agent is None
                or not agent.takes
                or len(message.content) > agent.max_content
                or message.flags
                or (is_session and message.sender != source)
            ) and not self.finishes(agent, message, source, message.flags & AUTOMATIC):
                if message.flags != AUTOMATIC or is_session:
                    refused.append((sequence, message, self.why_not(agent, message, source)))
                    continue
                if not reads_failures(agent, a_pass):
                    continue
            if principal and message.cause is None:
                message.cause = as_root(message, principal)
            mailbox = agent.mailbox
            if at_once and (mailbox is None or not mailbox.depth) and not agent.holds:
                if (message.conversation_id is not None or message.rare is not None) and (
                    unfit := self._converse(message)
                ) is not None:
                    refused.append((sequence, message, unfit))
                    continue
                a_pass.turns += 1
                at_once = take(agent, message, source, sequence, NEVER, None) < end_ns and not (begun or crowded_shards)
                continue
            full: CaxtonError | None
            if is_session:
                full = crowded or room.root(agent, source)
            else:
                full = room.effect(agent, message, a_pass, credited=True)
            if full is None and (agent.drawn or message.conversation_id is not None or message.rare is not None):
                full = self.unfit(agent, message, a_pass)
            if full is not None:
                refused.append((sequence, message, full))
                continue
            mailbox = agent.mailbox or agent.open_mailbox()
            origin = 0 if is_session else message.sender
            self._dispatcher.enqueue(agent, mailbox, message, source, sequence, now_ns, origin)
        room.count_crowded(crowded, refused, a_pass)
        self._dispatcher.took_at_once(len(messages))
        return refused

    def from_agent(self, agent: Agent | None, message: Envelope, root: Root, a_pass: Pass) -> CaxtonError | None:
        """Place what an agent of this shard, or the runtime itself, sent to `agent`; returns why not, or None."""
        if (
            agent is None or not agent.takes or len(message.content) > agent.max_content or message.flags & AUTOMATIC
        ) and not self.finishes(agent, message, HERE, message.flags & AUTOMATIC):
            if not message.flags & AUTOMATIC:
                return self.why_not(agent, message, HERE)
            if not reads_failures(agent, a_pass):
                return None
        full: CaxtonError | None = self._admission.effect(agent, message, a_pass)
        if full is None and (agent.drawn or message.conversation_id is not None):
            full = self.unfit(agent, message, a_pass)
        if full is not None:
            return full
        mailbox = agent.mailbox or agent.open_mailbox()
        self._dispatcher.enqueue(agent, mailbox, message, *root, a_pass.now_ns, origin_of(message, a_pass))
        a_pass.counts["local"] += 1
        return None

    def finishes(self, agent: Agent | None, message: Envelope, source: int, flags: int) -> TypeGuard[Agent]:
        """Whether an agent takes a message though it drains: it takes part in a conversation, of which this is one.

        flags: those that the message may have.
        """
        if agent is None or message.conversation_id is None or not agent.finishes(durable=flags & DURABLE > 0):
            return False
        is_session = source >= SESSION_BIT
        is_forged = is_session and (message.sender != source or flags & AUTOMATIC)
        if is_forged or message.flags != flags or len(message.content) > agent.max_content:
            return False
        if flags & AUTOMATIC and agent.content_only:
            return False
        return self._involves(message)

    def unfit(self, agent: Agent, message: Envelope, a_pass: Pass) -> CaxtonError | None:
        """Return why a message may not wait: its receiver waits for it already, or it does not fit its conversation."""
        error = deadlock(agent, message, a_pass) if agent.drawn else None
        return self._converse(message) if error is None else error

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
        return AgentNotFound(called(message))


def reads_failures(agent: Agent | None, a_pass: Pass) -> TypeGuard[Agent]:
    """True when an automatic message is worth placing: a content agent could not tell it from any other."""
    if agent is not None and agent.takes and not agent.content_only:
        return True
    a_pass.counts["failures_dropped"] += 1
    return False
