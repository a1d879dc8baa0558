"""One durable message: as `placing`, but it may also wait for an agent that runs no turns now, and is tracked then."""

from msgspec import structs

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.errors import AlreadyAccepted, CaxtonError
from workers.agents.delivery import DURABLE_ROOT, Delivery
from workers.agents.mailbox import entry_of
from workers.agents.registry import Agent, Registry
from workers.commit.journal import Journal, Source
from workers.durable.dead_letters import DeadLetters
from workers.durable.idempotency_keys import IdempotencyKeys
from workers.durable.suspects import Suspects
from workers.queues.admission import Admission, origin_of
from workers.queues.dispatcher import Dispatcher, Take
from workers.queues.pressure import HERE
from workers.volatile.placing import NEVER, Placing, reads_failures
from workers.worker_pass import MAX_PASS_NS, NS_PER_MS, Pass

Root = tuple[int, int]
Refused = list[tuple[int, Envelope, CaxtonError]]


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
    ) -> None:
        self._agents = registry.agents
        self._placing = placing
        self._admission = admission
        self._dispatcher = dispatcher
        self._journal = journal
        self._dead_letters = dead_letters
        self._keys = keys
        self._suspects = suspects

    def from_peer(
        self, messages: list[Envelope], source: Source, first: int, a_pass: Pass, take: Take, *, resent: bool
    ) -> Refused:
        """Place a frame's messages, numbered from `first`; returns (sequence, message, why) of those that were not.

        An agent that is idle has its turn at once, as on the volatile lane, if the message surely comes first time.
        """
        refused: Refused = []
        file, number = source.file, source.peer_number
        find, now_ns, end_ns = self._agents.get, a_pass.now_ns, a_pass.now_ns + MAX_PASS_NS
        is_session = file == number
        begun = self._dispatcher.begun
        at_once = self._dispatcher.takes_at_once(roots=is_session) and not resent and not self._suspects.charges
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
                or (is_session and message.sender != file)
            ):
                error, seen_to = self._unusual(agent, message, source, a_pass)
                if error is not None:
                    refused.append((root ^ DURABLE_ROOT, message, error))
                if agent is None or seen_to:
                    continue
            mailbox = agent.mailbox
            if at_once and (mailbox is None or not mailbox.depth) and not agent.holds:
                a_pass.turns += 1
                at_once = take(agent, message, file, root, NEVER, None) < end_ns and not begun
                continue
            no_room = (
                self._admission.root(agent, number)
                if is_session
                else self._admission.effect(agent, message, a_pass, credited=True)
            )
            if no_room is not None:
                self._keys.failed(message)
                refused.append((root ^ DURABLE_ROOT, message, no_room))
                continue
            origin = 0 if is_session else message.sender
            delivery = Delivery(message, file, root, now_ns + message.timeout_ms * NS_PER_MS, origin)
            delivery.deliveries = int(resent)
            self.wait(agent, delivery)
        return refused

    def from_agent(self, agent: Agent | None, message: Envelope, root: Root, a_pass: Pass) -> CaxtonError | None:
        """Place what an agent of this shard, or the runtime itself, sent to `agent`; returns why not, or None."""
        if (
            agent is None
            or not agent.takes_durable
            or len(message.content) > agent.max_content
            or message.flags & AUTOMATIC
        ):
            if not message.flags & AUTOMATIC:
                return self._placing.why_not(agent, message, HERE)
            if not reads_failures(agent, a_pass):
                self._journal.processed += 1  # seen to its end: nobody reads it
                return None
        full = self._admission.effect(agent, message, a_pass)
        if full is not None:
            return full
        a_pass.counts["local"] += 1
        expires_ns = a_pass.now_ns + message.timeout_ms * NS_PER_MS
        self.wait(agent, Delivery(message, *root, expires_ns, origin_of(message, a_pass)))
        return None

    def wait(self, agent: Agent, delivery: Delivery) -> None:
        """Let a message wait for its turn in its mailbox."""
        self._journal.enter(delivery)
        self.queue(agent, delivery)

    def queue(self, agent: Agent, delivery: Delivery) -> None:
        """Put a message in its mailbox that the journal knows."""
        self._dispatcher.put(agent, agent.mailbox or agent.open_mailbox(), entry_of(delivery))

    def _unusual(
        self, agent: Agent | None, message: Envelope, source: Source, a_pass: Pass
    ) -> tuple[CaxtonError | None, bool]:
        """Return why a message is refused, or None; and whether it is seen to, refused or otherwise."""
        is_session = source.file == source.peer_number
        if message.flags == AUTOMATIC | DURABLE and not is_session:
            if reads_failures(agent, a_pass):
                return None, False
            self._journal.processed += 1  # seen to its end: nobody reads it
            return None, True
        wrong = message.flags != DURABLE or (is_session and message.sender != source.file)
        if wrong or agent is None or not agent.takes_durable or len(message.content) > agent.max_content:
            return self._placing.why_not(agent, message, source.peer_number), True
        if is_session and (no_room := self._dead_letters.refusal(message.receiver)) is not None:
            return no_room, True
        if is_session and message.rare is not None and message.rare.requeued_from is not None:
            message.rare = structs.replace(message.rare, requeued_from=None)  # only this shard knows its dead letters
        error, seen_to = self._keys.admit(message)
        if isinstance(error, AlreadyAccepted) and not is_session:
            self._journal.processed += 1  # seen to its end: an agent is told of what came to nothing, and this did not
            return None, True
        return error, seen_to
