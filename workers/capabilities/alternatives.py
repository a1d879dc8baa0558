"""Messages to a capability whose receiver did not take them, or is not known yet: somebody else is looked for.

Nobody who was tried is tried again, and no more than the message's `max_retries`. While it is not known who else there
is, a message waits here, for a bounded time; one of the durable lane stands among the dead letters meanwhile.
"""

from collections.abc import Callable
from time import monotonic_ns
from typing import NamedTuple, Protocol

from msgspec import structs

from caxton.acl.capability import Balancing, is_nobody, label_of
from caxton.acl.envelope import AUTOMATIC, DURABLE, MOST_TRIED, Envelope, Rare
from caxton.acl.options import DEFAULT_RETRIES
from caxton.capabilities.subscriptions import Subscription
from caxton.errors import (
    AgentFailure,
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    CircuitBreakerOpen,
    Deadlock,
    NoCapableAgents,
    QueueFull,
    ResourceExhausted,
    ShardUnavailable,
)
from caxton.ids import SESSION_BIT, AgentId
from workers.agents.mailbox import weight
from workers.capabilities.line import CapabilityLine
from workers.worker_pass import NS_PER_MS

# Of messages that wait for word of who can do it: their weight in all, and of one sender.
MOST_UNDECIDED, MOST_UNDECIDED_OF_ONE = 8_192, 512
# For how long one waits.
LONGEST_MS = 5_000
# Receivers of a message to everyone that weigh as much as a message to one of them.
SHARE_OF_EACH = 4
# What another agent may do better. A handler or a guest that failed counts on the durable lane, where it did nothing.
_REFUSALS = (AgentNotFound, AgentNotRunning, CircuitBreakerOpen, Deadlock, QueueFull, ShardUnavailable)


class Ways(Protocol):
    """How a message goes on, or comes to its end, on its lane."""

    def send_on(self, message: Envelope) -> None:
        """Send a message to the next agent."""

    def refusal(self, message: Envelope, receivers: int) -> CaxtonError | None:
        """Return why so many may not be sent one like it; they count as what follows from its root."""

    def send_to_each(self, message: Envelope, receivers: list[int]) -> None:
        """Send each of these one like it, instead of it."""

    def give_up(self, message: Envelope, error: CaxtonError) -> None:
        """A message comes to nothing: its sender is told."""


class Undecided(NamedTuple):
    """A message that waits for word. until_ns: how long. asked: the question whose answers decide. ways: its lane's."""

    message: Envelope
    error: CaxtonError
    key: str
    asked: int
    until_ns: int
    ways: Ways


class Alternatives:
    """Owned by the worker's loop.

    weight: of what waits; a message is 1, and 1 more for each KiB of its contents. One to everyone weighs so much for
    every four that it may go to.
    """

    def __init__(self, line: CapabilityLine) -> None:
        self._line = line
        self._undecided: list[Undecided] = []
        self._by_sender: dict[int, int] = {}
        self.weight = 0

    def __len__(self) -> int:
        return len(self._undecided)

    def take(self, message: Envelope, error: CaxtonError, ways: Ways) -> CaxtonError | None:
        """Send a message on that came to nothing, or let it wait for word; returns why not, None if it is seen to."""
        return self._take(message, error, ways, may_wait=True)

    def _take(self, message: Envelope, error: CaxtonError, ways: Ways, *, may_wait: bool) -> CaxtonError | None:
        key = capability_of(message)
        if key is None or not _may_go_on(message, error) or not self._may_be_let_in(message):
            return error
        subscription = self._line.look_for(key, message.sender)
        if subscription is None:
            return error
        most = _most_of(message)
        receivers = self._everyone(message, subscription) if most else self._another(message, subscription)
        if may_wait and not receivers:
            return self._wait(message, error, subscription, ways)
        if most:
            return self._send_to_each(message, receivers, subscription, ways)
        if not receivers:
            return _nobody(message, error, key)
        ways.send_on(going_to(message, receivers[0], tried_of(message)))
        return None

    def _another(self, message: Envelope, subscription: Subscription) -> list[int]:
        """Return an agent that was not tried, if one is known."""
        other = subscription.candidates.pick_other(_balancing(message), (*tried_of(message), message.sender))
        return [] if other is None else [other]

    def _everyone(self, message: Envelope, subscription: Subscription) -> list[int]:
        """Return all agents but the sender, once every shard has told of its own."""
        if self._line.subscriptions.silent(subscription) is not None:
            return []
        return sorted(agent_id for agent_id in subscription.candidates.ids if agent_id != message.sender)

    def _send_to_each(
        self, message: Envelope, receivers: list[int], subscription: Subscription, ways: Ways
    ) -> CaxtonError | None:
        """Send a message to each of these in its place; returns why not."""
        label, most = label_of(subscription.key), _most_of(message)
        if len(receivers) > most:
            return ResourceExhausted(f"receivers of one message to everyone {label}", most)
        if not receivers:
            silent = self._line.subscriptions.silent(subscription)
            if silent is not None:
                return ShardUnavailable(silent, f"it has not told who has {label}")
            return NoCapableAgents(label, ())
        refusal = ways.refusal(message, len(receivers))
        if refusal is None:
            ways.send_to_each(message, receivers)
        return refusal

    def _wait(
        self, message: Envelope, error: CaxtonError, subscription: Subscription, ways: Ways
    ) -> ResourceExhausted | None:
        """Let a message wait for word of who can do it, if there is room."""
        full = self._full(message)
        if full is not None:
            return full
        until_ns = monotonic_ns() + min(message.timeout_ms, LONGEST_MS) * NS_PER_MS
        subscription.waited_for += 1
        self._enter(Undecided(message, error, subscription.key, self._line.ask(subscription), until_ns, ways))
        return None

    def _may_be_let_in(self, message: Envelope) -> bool:
        """Whether another agent could answer: the shard of who sends in a conversation lets in who it is sent to."""
        sender = message.sender
        return message.conversation_id is None or sender >= SESSION_BIT or self._line.owns(sender)

    def settle(self) -> bool:
        """Decide for every message for which it is known by now who else there is, or the time is up.

        Returns whether there was any.
        """
        now_ns, subscriptions = monotonic_ns(), self._line.subscriptions
        waiting, self._undecided = self._undecided, []
        decided: list[Undecided] = []
        for entry in waiting:
            subscription = subscriptions.find(entry.key)
            if (
                subscription is None
                or (len(subscription.candidates) and not _most_of(entry.message))
                or entry.until_ns <= now_ns
                or (subscriptions.is_whole and subscriptions.has_answered(subscription, entry.asked))
            ):
                decided.append(entry)
            else:
                self._undecided.append(entry)
        for entry in decided:
            self._leave(entry)
            error = self._take(entry.message, entry.error, entry.ways, may_wait=False)
            if error is not None:
                entry.ways.give_up(entry.message, error)
        return bool(decided)

    def _full(self, message: Envelope) -> ResourceExhausted | None:
        weighs = _weight(message)
        if self.weight + weighs > MOST_UNDECIDED:
            return ResourceExhausted("messages that wait for word of who can do it", MOST_UNDECIDED)
        if self._by_sender.get(message.sender, 0) + weighs > MOST_UNDECIDED_OF_ONE:
            return ResourceExhausted("messages of one agent that wait for word of who can do it", MOST_UNDECIDED_OF_ONE)
        return None

    def _enter(self, entry: Undecided) -> None:
        weighs, sender = _weight(entry.message), entry.message.sender
        self._undecided.append(entry)
        self.weight += weighs
        self._by_sender[sender] = self._by_sender.get(sender, 0) + weighs

    def _leave(self, entry: Undecided) -> None:
        weighs, sender = _weight(entry.message), entry.message.sender
        self.weight -= weighs
        self._by_sender[sender] -= weighs
        if not self._by_sender[sender]:
            del self._by_sender[sender]
        subscription = self._line.subscriptions.find(entry.key)
        if subscription is not None:
            subscription.waited_for -= 1


def for_each(message: Envelope, receivers: list[int], next_id: Callable[[], bytes]) -> list[Envelope]:
    """Return what each of these is sent in place of a message to everyone; the first one keeps its id."""
    rare = structs.replace(message.rare or Rare(), capability=None, balancing=None, everyone=0)
    first = structs.replace(message, receiver=receivers[0], rare=None if rare == Rare() else rare)
    return [first, *[structs.replace(first, message_id=next_id(), receiver=one) for one in receivers[1:]]]


def capability_of(message: Envelope) -> str | None:
    """Return the key of the capability that a message was sent to; None for one that names its receiver."""
    return None if message.rare is None else message.rare.capability


def tried_of(message: Envelope) -> tuple[int, ...]:
    """Return the agents that were tried for a message to a capability, its present receiver too."""
    before = () if message.rare is None else message.rare.tried
    return before if is_nobody(message.receiver) else (*before, message.receiver)


def going_to(message: Envelope, receiver: int, tried: tuple[int, ...]) -> Envelope:
    """Return the message as it goes to another agent; its id stays."""
    rare = message.rare
    return structs.replace(
        message, receiver=receiver, rare=None if rare is None else structs.replace(rare, tried=tried)
    )


def _may_go_on(message: Envelope, error: CaxtonError) -> bool:
    if message.flags & AUTOMATIC:
        return False
    tried, rare = tried_of(message), message.rare
    retries = DEFAULT_RETRIES if rare is None else rare.max_retries
    if len(tried) > retries or len(tried) >= MOST_TRIED:
        return False
    return isinstance(error, _REFUSALS) or (bool(message.flags & DURABLE) and isinstance(error, AgentFailure))


def _most_of(message: Envelope) -> int:
    """Return to how many at most a message goes that an agent sent to everyone with a capability; 0 for any other."""
    rare = message.rare
    return 0 if rare is None or message.sender >= SESSION_BIT or not is_nobody(message.receiver) else rare.everyone


def _weight(message: Envelope) -> int:
    """Return what a message weighs while it waits: one to everyone more, because so many may come of it at once."""
    return weight(len(message.content)) * max(1, _most_of(message) // SHARE_OF_EACH)


def _balancing(message: Envelope) -> Balancing:
    rare = message.rare
    return Balancing.LEAST_CONNECTIONS if rare is None or rare.balancing is None else rare.balancing


def _nobody(message: Envelope, error: CaxtonError, key: str) -> CaxtonError:
    """Return what the sender is told: what the last one said, or that there is nobody if none was tried."""
    tried = tried_of(message)
    return error if tried else NoCapableAgents(label_of(key), tuple(str(AgentId(agent)) for agent in tried))
