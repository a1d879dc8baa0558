"""Messages that were not placed."""

from dataclasses import dataclass

from caxton.errors.root import CaxtonError


@dataclass(eq=False)
class RoutingError(CaxtonError):
    """A message that was not placed. It had no effect."""


@dataclass(eq=False)
class AgentNotFound(RoutingError):
    """Nobody has this id or name."""

    agent: str
    says = "there is no agent {agent}"
    hint = "see `caxton agent list`"


@dataclass(eq=False)
class AgentNotRunning(RoutingError):
    """The agent is there, but takes no messages in this state."""

    agent: str
    state: str
    says = "agent {agent} is {state} and takes no messages"

    def __str__(self) -> str:
        if self.state != "detached":
            return super().__str__()
        return (
            f"agent {self.agent} is detached: no program runs it now, and only durable messages wait for one; "
            "start its program, or send with the reliability at_least_once"
        )


@dataclass(eq=False)
class AgentTakenOver(AgentNotRunning):
    """The agent that this program had attached is another's now, which attached it with replace=True."""

    state: str = "taken over"
    says = "agent {agent} was taken over by another program; what had not ended is given to that one"


@dataclass(eq=False)
class LeaseEnded(RoutingError):
    """What an attached agent's handler ended came too late: its program was silent for long, and lost the message."""

    agent: str
    lease_s: float
    says = "agent {agent} was silent for {lease_s:g} s: what it had is given again, and this end of it came too late"
    hint = "a handler that blocks the event loop keeps its program from being heard; use `asyncio.to_thread`"


@dataclass(eq=False)
class QueueFull(RoutingError):
    """The receiver's mailbox, or the way to it, is full; in messages. capacity 0: only its shard knows it."""

    receiver: str
    depth: int
    capacity: int
    says = "the queue for {receiver} is full"
    hint = "wait and send again, or send at the pace of the receiver"

    def __str__(self) -> str:
        if not self.capacity:
            return super().__str__()
        return f"{self.says.format(receiver=self.receiver)} ({self.depth} of {self.capacity}); {self.hint}"


@dataclass(eq=False)
class HopLimitExceeded(RoutingError):
    """What an agent sent would be this many hops from the message of a client that it follows from: too many."""

    hops: int
    limit: int
    says = "the message would be {hops} hops from the one that it follows from, and the limit is {limit}"
    hint = "see whether agents answer each other without end; who sends the first may allow more, with max_hops"


@dataclass(eq=False)
class WorkLimitExceeded(RoutingError):
    """One message of a client has caused as much on this shard as it may: messages, and KiB of their contents."""

    work: int
    limit: int
    says = "what follows from one message would come to {work} messages and KiB on this shard, and the limit is {limit}"
    hint = "see whether agents send more and more; who sends the first may allow more, with max_work"


@dataclass(eq=False)
class Deadlock(RoutingError):
    """What handles messages of this agent waits for this one, and it handles no more at a time: it never could."""

    agent: str
    concurrency: int
    says = "agent {agent} waits for what asks it, and handles {concurrency} at a time: it would wait for itself"
    hint = "let it handle more at a time (concurrency), or answer first and ask later"


@dataclass(eq=False)
class MessageExpired(RoutingError):
    """The message waited for its receiver longer than its own timeout, in seconds; it was not handled."""

    receiver: str
    timeout_s: float
    says = "the message waited {timeout_s:g} s for {receiver}, as long as it was to, and was not handled"


@dataclass(eq=False)
class CircuitBreakerOpen(RoutingError):
    """The agent failed too often in a row, and is left alone for so many seconds more."""

    agent: str
    retry_in_s: float
    says = "agent {agent} failed too often in a row; the next message is let through in {retry_in_s:.1f} s"
    hint = "see `caxton deadletter list` for why, and send again later"


@dataclass(eq=False)
class NoCapableAgents(RoutingError):
    """Nobody who could do it is healthy and runs, or everybody who is was tried (by id, in `tried`)."""

    capability: str
    tried: tuple[str, ...]
    says = "no agent {capability} is healthy and running"
    hint = "see `caxton capability list`"

    def __str__(self) -> str:
        if not self.tried:
            return super().__str__()
        return f"{self.says.format(capability=self.capability)} but {', '.join(self.tried)}, tried before; {self.hint}"


@dataclass(eq=False)
class ShardUnavailable(RoutingError):
    """The worker that owns this shard is not serving."""

    shard: int
    state: str
    says = "shard {shard} is {state}"
    hint = "see `caxton health`"

    def __str__(self) -> str:
        return super().__str__() + (", and `caxton restart` to start it anew" if self.state == "failed" else "")


@dataclass(eq=False)
class SessionNotFound(RoutingError):
    """The client that this message is for is gone."""

    session: str
    says = "session {session} has ended"


@dataclass(eq=False)
class AlreadyAccepted(RoutingError):
    """Its idempotency key is known: nothing was done. A send has a receipt that says so, a request the first answer."""

    agent: str
    says = "agent {agent} was sent a message with this idempotency key before, and is not sent another"


@dataclass(eq=False)
class AnswerNotKept(AlreadyAccepted):
    """Its idempotency key is known, and the first message with it has no answer to give: nothing was done.

    That one was sent and not requested, or its turn ended without an answer. One of a later turn is not kept.
    """

    says = "agent {agent} was sent a message with this idempotency key before, of which no answer is kept"
    hint = "to ask for one, request with another key"
