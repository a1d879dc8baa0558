"""One durable message: as `placing`, but it may also wait for an agent that runs no turns now, and is tracked then."""

from typing import TypeGuard

from msgspec import structs

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.acl.escalation import ESCALATION_PROTOCOL
from caxton.delivery.causes import as_root
from caxton.errors import AlreadyAccepted, CaxtonError
from workers.agents.delivery import DURABLE_ROOT, Delivery
from workers.agents.mailbox import entry_of
from workers.agents.registry import Agent, Registry
from workers.commit.journal import Journal, Source
from workers.durable.dead_letters import DeadLetters
from workers.durable.disk import Disk
from workers.durable.idempotency_keys import IdempotencyKeys
from workers.durable.suspects import Refused, Suspects
from workers.queues.admission import Admission
from workers.queues.backlogs import origin_of
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import HERE
from workers.queues.timed_turn import Take
from workers.volatile.placing import Placing, reads_failures
from workers.worker_pass import MAX_PASS_NS, NEVER, Pass

Root = tuple[int, int]


class DurablePlacing:
    """Gives durable messages to agents. What has to wait becomes a `Delivery` that the journal stores."""

    def __init__(  # noqa: PLR0913, PLR0917 (whom it asks; the composition root is the only caller)
        self,
        registry: Registry,
        placing: Placing,
        admission: Admission,
        dispatcher: Dispatcher,
        journal: Journal,
        dead_letters: DeadLetters,
        keys: IdempotencyKeys,
        suspects: Suspects,
        disk: Disk,
    ) -> None:
        self._agents = registry.agents
        self._placing = placing
        self._admission = admission
        self._dispatcher = dispatcher
        self._journal = journal
        self._dead_letters = dead_letters
        self._keys = keys
        self._suspects = suspects
        self._disk = disk
        self._converse = journal.conversations.take

    def from_peer(
        self,
        messages: list[Envelope],
        source: Source,
        first: int,
        a_pass: Pass,
        take: Take,
        principal: str,
        *,
        resent: bool,
    ) -> Refused:
        """Place a frame's messages, numbered from `first`; returns (sequence, message, why) of those that were not.

        principal: for whom a session acts that sent them, "" for the runtime's owner.

        An agent that is idle has its turn at once, as on the volatile lane, if the message surely comes first time.
        """
        refused: Refused = []
        file, number = source.file, source.peer_number
        find, end_ns = self._agents.get, a_pass.now_ns + MAX_PASS_NS
        is_session = file == number
        crowded = self._admission.crowded(principal, messages) if is_session else None
        begun, crowded_shards = self._dispatcher.begun, self._dispatcher.far.crowded
        at_once = not resent and not self._suspects.charges
        at_once = at_once and self._dispatcher.takes_at_once(a_pass.now_ns, roots=is_session)
        full = is_session and self._dead_letters.refuses
        for root, message in enumerate(messages, first | DURABLE_ROOT):
            agent = find(message.receiver)
            if (
                agent is None
                or not agent.takes_durable
                or len(message.content) > agent.max_content
                or message.flags != DURABLE
                or message.rare is not None
                or full
                or principal
                or (is_session and (message.sender != file or message.cause is not None))
            ):
                error, seen_to = self._unusual(agent, message, source, a_pass, principal)
                if error is not None:
                    refused.append((root ^ DURABLE_ROOT, message, error))
                if agent is None or seen_to:
                    continue
            mailbox = agent.mailbox
            if at_once and (mailbox is None or not mailbox.depth) and not agent.holds:
                if message.conversation_id is not None and (unfit := self._converse(message)) is not None:
                    refused.append((root ^ DURABLE_ROOT, message, unfit))
                    continue
                a_pass.turns += 1
                at_once = take(agent, message, file, root, NEVER, None) < end_ns and not (begun or crowded_shards)
                continue
            no_room: CaxtonError | None
            if is_session:
                no_room = crowded or self._admission.root(agent, number)
            else:
                no_room = self._disk.no_room(agent, message, a_pass)
            if no_room is None and (agent.drawn or message.conversation_id is not None):
                no_room = self._placing.unfit(agent, message, a_pass)
            if no_room is not None:
                self._keys.failed(message)
                refused.append((root ^ DURABLE_ROOT, message, no_room))
                continue
            origin = 0 if is_session else message.sender
            delivery = agent.take_in(Delivery(message, file, root, origin))
            delivery.deliveries, delivery.since_ns = int(resent), a_pass.now_ns
            self.wait(agent, delivery)
        self._suspects.forget_refused(file, refused)
        self._admission.count_crowded(crowded, refused, a_pass)
        self._dispatcher.took_at_once(len(messages))
        return refused

    def from_agent(self, agent: Agent | None, message: Envelope, root: Root, a_pass: Pass) -> CaxtonError | None:
        """Place what an agent of this shard, or the runtime itself, sent to `agent`; returns why not, or None."""
        if (
            agent is None
            or not agent.takes_durable
            or len(message.content) > agent.max_content
            or message.flags & AUTOMATIC
        ) and not self._finishes(agent, message, HERE):
            if not message.flags & AUTOMATIC:
                return self._placing.why_not(agent, message, HERE)
            if not _reads(agent, message, a_pass):
                self._journal.processed += 1  # seen to its end: nobody reads it
                return None
        full: CaxtonError | None = self._disk.no_room(agent, message, a_pass)
        if full is None and (agent.drawn or message.conversation_id is not None):
            full = self._placing.unfit(agent, message, a_pass)
        if full is not None:
            return full
        a_pass.counts["local"] += 1
        delivery = agent.take_in(Delivery(message, *root, origin_of(message, a_pass)))
        delivery.since_ns = a_pass.now_ns
        self.wait(agent, delivery)
        return None

    def wait(self, agent: Agent, delivery: Delivery) -> None:
        """Let a message wait for its turn in its mailbox, or on disk while memory has no room for it."""
        on_disk = self._disk.takes(agent, delivery)
        self._journal.enter(delivery)
        if not on_disk:
            self.queue(agent, delivery)

    def queue(self, agent: Agent, delivery: Delivery) -> None:
        """Put a message in its mailbox that the journal knows."""
        self._dispatcher.put(agent, agent.mailbox or agent.open_mailbox(), entry_of(delivery))

    def _finishes(self, agent: Agent | None, message: Envelope, source: int) -> TypeGuard[Agent]:
        return self._placing.finishes(agent, message, source, DURABLE | (message.flags & AUTOMATIC))

    def _unusual(
        self, agent: Agent | None, message: Envelope, source: Source, a_pass: Pass, principal: str
    ) -> tuple[CaxtonError | None, bool]:
        """Return why a message is refused, or None; and whether it is seen to, refused or otherwise."""
        is_session = source.file == source.peer_number
        if message.flags == AUTOMATIC | DURABLE and not is_session:
            if self._finishes(agent, message, source.peer_number) or _reads(agent, message, a_pass):
                return None, False
            self._journal.processed += 1  # seen to its end: nobody reads it
            return None, True
        wrong = message.flags != DURABLE or (is_session and message.sender != source.file)
        fits = agent is not None and agent.takes_durable and len(message.content) <= agent.max_content
        if wrong or not (fits or self._finishes(agent, message, source.peer_number)):
            return self._placing.why_not(agent, message, source.peer_number), True
        if is_session:
            full = self._no_letters(message, principal, a_pass)
            wrong_claim = (
                self._placing.claims.refusal(message, source.file, principal, a_pass) if full is None else None
            )
            if full is not None or wrong_claim is not None:
                return full or wrong_claim, True
        if is_session and message.rare is not None and message.rare.requeued_from is not None:
            message.rare = structs.replace(message.rare, requeued_from=None)  # only this shard knows its dead letters
        if principal and message.cause is None:
            message.cause = as_root(message, principal)
        unknown = self._converse(message) if message.conversation_id is None else None
        error, seen_to = self._keys.admit(message) if unknown is None else (unknown, True)
        if isinstance(error, AlreadyAccepted) and not is_session:
            self._journal.processed += 1  # seen to its end: an agent is told of what came to nothing, and this did not
            return None, True
        return error, seen_to

    def _no_letters(self, message: Envelope, principal: str, a_pass: Pass) -> CaxtonError | None:
        """Return why a client's message is refused, because there would be no room for it as a dead letter; or None."""
        no_room = self._dead_letters.refusal(message.receiver)
        if no_room is None:
            no_room = self._dead_letters.share_refusal(principal)
            a_pass.counts["full_principal"] += no_room is not None
        return no_room


def _reads(agent: Agent | None, message: Envelope, a_pass: Pass) -> TypeGuard[Agent]:
    """True when an automatic message is worth placing; an escalation is, also for who is away or reads no more."""
    if message.rare is None or message.rare.protocol != ESCALATION_PROTOCOL:
        return reads_failures(agent, a_pass)
    if agent is not None and agent.takes_durable and len(message.content) <= agent.max_content:
        return True
    a_pass.counts["failures_dropped"] += 1
    return False
