"""What becomes of a durable message when its turn has ended: done, to be tried again, or a dead letter."""

from collections.abc import Callable
from typing import Protocol

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.acl.options import DEFAULT_RETRIES
from caxton.delivery.circuit_breaker import CircuitBreaker
from caxton.delivery.dead_letter import Reason
from caxton.delivery.retry import RetryPolicy
from caxton.errors import CaxtonError, MessageExpired
from caxton.ids import SESSION_BIT
from workers.agents.delivery import Delivery
from workers.agents.mailbox import entry_of
from workers.agents.registry import Agent, Hold
from workers.commit.journal import Journal
from workers.durable.dead_letters import DeadLetters
from workers.durable.idempotency_keys import IdempotencyKeys
from workers.durable.retries import Retries
from workers.durable.suspects import Suspects
from workers.worker_pass import NS_PER_MS

Root = tuple[int, int]


class Failing(Protocol):
    """Who tells senders."""

    def fail(self, message: Envelope, error: CaxtonError) -> None:
        """Tell the sender of `message` that it came to nothing, unless the message is automatic."""


class Attempts:
    """Ends durable messages. breakers: makes an agent's breaker at its first failure. dice: numbers from 0 to 1."""

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
    ) -> None:
        self._journal = journal
        self._retries = retries
        self._dead_letters = dead_letters
        self._keys = keys
        self._suspects = suspects
        self._policy = policy
        self._breaker = breaker
        self._dice = dice
        self.broken: list[Agent] = []
        self.failing: Failing

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
            breaker.record_success()
            agent.breaker = None

    def failed(
        self, agent: Agent, message: Envelope, root: Root, error: CaxtonError, delivery: Delivery | None
    ) -> None:
        """A turn ended in a trap, or the like: again later, or never. Its pair waits; a breaker may open."""
        now_ns = self._journal.now_ns
        origin = 0 if message.sender >= SESSION_BIT else message.sender
        delivery = delivery or Delivery(message, *root, now_ns + message.timeout_ms * NS_PER_MS, origin)
        delivery.attempts += 1
        delivery.deliveries += 1
        self._note_failure(agent, now_ns)
        retries = DEFAULT_RETRIES if message.rare is None else message.rare.max_retries
        if delivery.attempts >= self._policy.attempts_of(retries):
            self.bury(message, error, delivery, reason=Reason.POISON)
            return
        due_ns = now_ns + self._policy.delay_ms(delivery.attempts, self._dice()) * NS_PER_MS
        self._journal.linger(delivery, due_ns)
        mailbox = agent.mailbox or agent.open_mailbox()
        mailbox.depth += 1  # it keeps its place while it waits
        self._journal.counts["retries"] += 1
        self._retries.hold(agent, entry_of(delivery), due_ns)

    def expire(self, agent: Agent, message: Envelope, delivery: Delivery | None) -> None:
        """A message waited beyond its timeout."""
        error = MessageExpired(agent.label, message.timeout_ms / 1000)
        self.bury(message, error, delivery, reason=Reason.EXPIRED, term="expired")

    def bury(
        self,
        message: Envelope,
        error: CaxtonError,
        delivery: Delivery | None,
        *,
        reason: Reason | None = None,
        term: str = "dead",
    ) -> None:
        """A message came to nothing: it is a dead letter, and its sender is told.

        A failure is neither: the message that it speaks of is among the dead letters, and nobody answers it.
        """
        attempts = 0
        if delivery is not None:
            attempts = delivery.attempts
            self._finish(delivery)
        if message.flags & AUTOMATIC:
            self._journal.processed += 1
            return
        self._dead_letters.bury(message, error, attempts=attempts, reason=reason, term=term)
        for asked in (message, *self._keys.failed(message)):
            self.failing.fail(asked, error)

    def close_breakers(self, now_ns: int) -> list[Agent]:
        """Return the agents whose breakers let a probe through now: they run again, until the next failure."""
        probing = [agent for agent in self.broken if agent.breaker is None or agent.breaker.admits(now_ns)]
        for agent in probing:
            self.broken.remove(agent)
            agent.release(Hold.BROKEN)
        return probing

    def _note_failure(self, agent: Agent, now_ns: int) -> None:
        if agent.breaker is None:
            agent.breaker = self._breaker()
        agent.breaker.record_failure(now_ns, self._dice())
        if agent.breaker.is_open(now_ns) and agent not in self.broken:
            self._journal.counts["breakers_opened"] += 1
            agent.count("breaker_opened")
            agent.hold(Hold.BROKEN)
            self.broken.append(agent)

    def _finish(self, delivery: Delivery) -> None:
        if self._suspects.charges:
            self._suspects.acquit(delivery)
        self._journal.finish(delivery)
