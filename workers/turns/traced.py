"""Turns that are sampled: what one leaves, and in which trace its effects are. Nobody else's turn comes here."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic_ns

from msgspec import structs

from caxton.acl.envelope import Envelope, Rare
from caxton.acl.trace_context import behind, is_sampled, span_of
from caxton.wire.spans import DONE, FAILED
from workers.agents.delivery import Delivery
from workers.agents.mailbox import Entry
from workers.agents.registry import Agent, Hold
from workers.worker_pass import NEVER, NS_PER_MS, Pass, SpawnLeft, TurnLeft

# The "try" by whose number the span is known in which an instance was made.
_SPAWN = 1 << 32
# When a message was placed, and when its turn began and ended: monotonic, in ns.
Times = tuple[int, int, int]


def context_of(message: Envelope) -> str:
    """Return the trace context of a message, "" when it has none that is sampled."""
    context = None if message.rare is None else message.rare.trace_context
    return context if context is not None and is_sampled(context) else ""


def context_in(message: Envelope, context: str, delivery: Delivery | None) -> tuple[str, int]:
    """Return the context of what follows from the turn of a message with this context, and that turn's span."""
    span = span_of(message.message_id, 1 if delivery is None else delivery.deliveries + 1, message.receiver)
    return behind(context, span), span


def left(agent: Agent, message: Envelope, context: str, span: int, times: Times, outcome: str) -> TurnLeft:
    """Return what a turn leaves."""
    return (
        context,
        span,
        agent.agent_id,
        agent.manifest.name,
        message.message_id,
        message.conversation_id,
        message.sender,
        message.performative,
        len(message.content),
        message.flags,
        message.created_at,
        agent.holds & Hold.ATTACHED > 0,
        *times,
        outcome,
    )


def placed_at(message: Envelope, expires_ns: int, delivery: Delivery | None, now_ns: int) -> int:
    """Return when a message was placed: of one that has its turn at once, now."""
    if delivery is not None:
        return min(delivery.since_ns, now_ns)
    return now_ns if expires_ns == NEVER else min(expires_ns - message.timeout_ms * NS_PER_MS, now_ns)


def spawned(context: str, message: Envelope, agent: Agent, began_ns: int, ended_ns: int) -> SpawnLeft:
    """Return what it leaves that an agent's instance was made, for the turn of a message."""
    span = span_of(message.message_id, _SPAWN, message.receiver)
    return SpawnLeft(context, span, agent.agent_id, agent.manifest.name, began_ns, ended_ns)


@contextmanager
def traced_end(a_pass: Pass, agent: Agent, entry: Entry, began_ns: int, *, has_failed: bool) -> Iterator[None]:
    """Let what follows from the end of a delivery be in its trace, and leave what is known of a program's turn."""
    message, _, _, expires_ns, delivery, _ = entry
    context = context_of(message)
    if not context:
        yield
        return
    span = span_of(message.message_id, 1 if delivery is None else delivery.deliveries, message.receiver)
    placed_ns = placed_at(message, expires_ns, delivery, began_ns)
    a_pass.context = behind(context, span)
    try:
        yield
    finally:
        a_pass.context = None
    outcome = FAILED if has_failed else DONE
    a_pass.spans.append(left(agent, message, context, span, (placed_ns, began_ns, monotonic_ns()), outcome))


def follow(messages: Iterable[Envelope], context: str, handled: Envelope) -> None:
    """Let what a turn sends be in its trace; what a program sends may follow from a span of its own."""
    own = None if handled.rare is None else handled.rare.trace_context
    plain = Rare(trace_context=context)
    for message in messages:
        rare = message.rare
        if rare is None:
            message.rare = plain
        elif rare.trace_context is None or rare.trace_context == own:
            message.rare = structs.replace(rare, trace_context=context)


def in_trace(rare: Rare | None, message: Envelope, context: str | None) -> Rare | None:
    """Return the rare fields of a word about a message: in the trace of that one, behind the turn under way."""
    told = context or context_of(message)
    if not told:
        return rare
    return Rare(trace_context=told) if rare is None else structs.replace(rare, trace_context=told)
