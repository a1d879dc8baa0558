"""What becomes of a durable message when its turn has ended: done, to be tried again, or a dead letter."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from caxton.acl.envelope import AUTOMATIC, Envelope, is_over
from caxton.acl.options import DEFAULT_RETRIES
from caxton.delivery.circuit_breaker import CircuitBreaker
from caxton.delivery.dead_letter import Reason
from caxton.delivery.retry import RetryPolicy
from caxton.delivery.retry_reason import retry_reason_of
from caxton.errors import CaxtonError, MessageExpired
from caxton.ids import SESSION_BIT
from workers.agents.delivery import Delivery
from workers.agents.mailbox import entry_of
from workers.agents.registry import Agent, Hold
from workers.commit.journal import Journal
from workers.durable.dead_letters import DeadLetters
from workers.durable.idempotency_keys import IdempotencyKeys
from workers.durable.redirects import Ending, Redirects
from workers.durable.retries import Retries
from workers.durable.suspects import Suspects
from workers.watching.events import Events
from workers.worker_pass import NS_PER_MS

Root = tuple[int, int]


class Letter(NamedTuple):
    """A dead letter as it is told of: its number, the attempts at its message, and why each failed."""

    number: int
    attempts: int
    retry_reasons: tuple[str, ...]


class Failing(Protocol):
    """Who tells senders."""

    def fail(self, message: Envelope, error: CaxtonError) -> None:
        """Tell the sender of `message` that it came to nothing, unless the message is automatic."""

    def escalate(self, agent: Agent, message: Envelope, error: CaxtonError, letter: Letter) -> None:
        """Send a message that its agent failed on for good to whom the agent's manifest names."""


class Attempts:
    """Ends durable messages. breakers: makes an agent's breaker at its first failure. dice: numbers from 0 to 1.

    retention_ms: how long a message waits for an agent that cannot have it, in served time.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what it decides for; the composition root is the only caller)
        self,
        journal: Journal,
        retries: Retries,
        dead_letters: DeadLetters,
        keys: IdempotencyKeys,
        suspects: Suspects,
        policy: RetryPolicy,
        breaker: Callable[[], CircuitBreaker],
        dice: Callable[[], float],
        retention_ms: int,
        redirects: Redirects,
    ) -> None:
        self.redirects = redirects
        redirects.bury = self._lay_to_rest
        self._journal = journal
        self._retries = retries
        self._dead_letters = dead_letters
        self._keys = keys
        self._suspects = suspects
        self._policy = policy
        self._breaker = breaker
        self._dice = dice
        self._retention_ms = retention_ms
        self.broken: list[Agent] = []
        self.failing: Failing
        self.events = Events()

    def claims(self, agent: Agent, delivery: Delivery) -> bool:
        """Keep a message that a worker died of until it can run alone, and those of its pair behind it."""
        if not self._suspects.charges or not self._suspects.claim(agent, delivery):
            return False
        if agent.mailbox is not None:
            agent.mailbox.depth += 1  # it keeps its place while it waits
        agent.set_aside(entry_of(delivery))
        return True

    def done(self, agent: Agent, delivery: Delivery | None) -> None:
        """A turn ended for good: well, or with the agent's own error, which is an answer too."""
        self._journal.processed += 1
        if delivery is not None:
            self._finish(delivery)
        breaker = agent.breaker
        if breaker is not None:
            if breaker.has_opened:
                self.events.happened("agent_mended", f"agent {agent.label} handles messages again", agent.known)
            breaker.record_success()
            agent.breaker = None

    def failed(
        self, agent: Agent, message: Envelope, root: Root, error: CaxtonError, delivery: Delivery | None
    ) -> None:
        """A turn ended in a trap, or the like: again later, or never. Its pair waits; a breaker may open."""
        now_ns = self._journal.now_ns
        origin = 0 if message.sender >= SESSION_BIT else message.sender
        delivery = delivery or agent.take_in(Delivery(message, *root, origin))
        delivery.attempts += 1
        delivery.deliveries += 1
        delivery.retry_reasons += (retry_reason_of(error).value,)
        self._note_failure(agent, now_ns)
        retries = DEFAULT_RETRIES if message.rare is None else message.rare.max_retries
        if delivery.attempts >= self._policy.attempts_of(retries):
            self.bury(message, error, delivery, reason=Reason.POISON, agent=agent)
            return
        delay_ms = self._policy.delay_ms(delivery.attempts, self._dice())
        due_ns = now_ns + delay_ms * NS_PER_MS
        delivery.due_ms = (
            agent.present_ms + delay_ms + message.timeout_ms
        )  # or the last of many would always be too late
        self._journal.linger(delivery, due_ns)
        mailbox = agent.mailbox or agent.open_mailbox()
        mailbox.depth += 1  # it keeps its place while it waits
        self._journal.counts["retries"] += 1
        self._retries.hold(agent, entry_of(delivery), due_ns)

    def is_late(self, agent: Agent, delivery: Delivery) -> bool:
        """Whether a message has waited for its timeout while its agent could have it, or for the retention in all."""
        journal, rare, due_ms = self._journal, delivery.message.rare, delivery.due_ms
        now_ms = journal.served.now_ms  # no agent's clock is ahead of it, so most need not be looked at
        if (due_ms <= now_ms and due_ms <= agent.present_ms) or now_ms - delivery.came_ms >= self._retention_ms:
            return True
        return rare is not None and is_over(rare, journal.wall_ms)

    def expire(self, agent: Agent, message: Envelope, delivery: Delivery | None) -> None:
        """A message is late."""
        waited_ms, rare = message.timeout_ms, message.rare
        if rare is not None and rare.expires_at is not None and is_over(rare, self._journal.wall_ms):
            waited_ms = max(0, rare.expires_at - message.created_at)
        elif delivery is not None and delivery.due_ms > agent.present_ms:
            waited_ms = self._retention_ms
        error = MessageExpired(agent.label, waited_ms / 1000)
        self.bury(message, error, delivery, reason=Reason.EXPIRED, term="expired")

    def bury(
        self,
        message: Envelope,
        error: CaxtonError,
        delivery: Delivery | None,
        *,
        reason: Reason | None = None,
        term: str = "dead",
        agent: Agent | None = None,
    ) -> None:
        """A message came to nothing: it is a dead letter, and its sender is told.

        A failure is neither: the message that it speaks of is among the dead letters, and nobody answers it. agent: who
        failed on it for good, and may have somebody to send it to. One for a capability goes to another agent that has
        it, if there is one.
        """
        attempts = 0
        retry_reasons: tuple[str, ...] = ()
        if delivery is not None:
            attempts, retry_reasons = delivery.attempts, delivery.retry_reasons
            self._finish(delivery)
        if message.flags & AUTOMATIC:
            self._journal.processed += 1
            return
        ending = Ending(error, attempts, retry_reasons, reason, agent)
        if message.rare is not None and message.rare.capability is not None and term == "dead":
            left = self.redirects.take(message, ending)
            if left is None:
                return
            ending = ending._replace(error=left)
        self._lay_to_rest(message, ending, term)

    def _lay_to_rest(self, message: Envelope, ending: Ending, term: str = "dead") -> None:
        """Let a message be a dead letter for which nobody else is looked for, and tell its sender."""
        error, attempts, retry_reasons, reason, agent = ending
        number = self._dead_letters.bury(message, error, attempts, retry_reasons, reason=reason, term=term)
        if agent is not None and agent.manifest.escalate_to is not None:
            self.failing.escalate(agent, message, error, Letter(number, attempts, retry_reasons))
        for asked in (message, *self._keys.failed(message)):
            self.failing.fail(asked, error)

    def close_breakers(self, now_ns: int) -> list[Agent]:
        """Return the agents whose breakers let a probe through now: they run again, until the next failure."""
        probing = [agent for agent in self.broken if agent.breaker is None or agent.breaker.admits(now_ns)]
        for agent in probing:
            self.broken.remove(agent)
            agent.release(Hold.BROKEN)
        return probing

    def close_breaker(self, agent: Agent) -> None:
        """Let an agent run again though its breaker is open, as if nothing had been."""
        agent.breaker = None
        if agent in self.broken:
            self.broken.remove(agent)
            agent.release(Hold.BROKEN)

    def _note_failure(self, agent: Agent, now_ns: int) -> None:
        if agent.breaker is None:
            agent.breaker = self._breaker()
        agent.breaker.record_failure(now_ns, self._dice())
        if agent.breaker.is_open(now_ns) and agent not in self.broken:
            self._journal.counts["breakers_opened"] += 1
            agent.count("breaker_opened")
            text = f"agent {agent.label} fails again and again, and is left alone for a while"
            self.events.happened("agent_broken", text, agent.known, "warning")
            agent.hold(Hold.BROKEN)
            self.broken.append(agent)

    def _finish(self, delivery: Delivery) -> None:
        if self._suspects.charges:
            self._suspects.acquit(delivery)
        self._journal.finish(delivery)
