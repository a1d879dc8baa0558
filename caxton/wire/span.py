"""Spans with names and attributes, as whoever traces reads them, made of what workers and clients left.

Attributes have the names of OpenTelemetry's conventions for messaging where these have one, and Caxton's own otherwise.
"""

from collections.abc import Iterator

import msgspec

from caxton.acl.performative import ACTS
from caxton.acl.trace_context import read, span_of
from caxton.ids import AgentId, ConversationId, MessageId
from caxton.wire.spans import CONTRACT_NET, DEPLOY, DONE, MESSAGE, LeftSpan

# Of https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/; the names below are this revision's.
SEMANTIC_CONVENTIONS = "1.38.0"
SCHEMA_URL = f"https://opentelemetry.io/schemas/{SEMANTIC_CONVENTIONS}"
PROCESS = "message_process"
_NAMES = (PROCESS, "agent_spawn", "agent_deploy", "contract_net_protocol")
ROUTING = "message_routing"
_SYSTEM = "caxton"
Value = str | int | bool


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a trace. trace_id: 32 hex digits, span_id and parent_id: 16. began_ns, ended_ns: since 1970.

    parent_id: None for what nothing known caused. name: message_routing (from when a message was sent to when its shard
    had placed it, told with the first try), message_process (its turn; `waited_ns` is what it waited before),
    agent_spawn, agent_deploy or contract_net_protocol. outcome: "done", or how it failed. shard: whose worker told it.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    began_ns: int
    ended_ns: int
    waited_ns: int = 0
    outcome: str = DONE
    shard: int = 0
    attributes: dict[str, Value] = {}

    @property
    def took_ms(self) -> float:
        """How long it took, in milliseconds."""
        return (self.ended_ns - self.began_ns) / 1_000_000


def named(left: LeftSpan, shard: int) -> Iterator[Span]:
    """Yield what was left as spans: of a message its way, with its first try, and behind that its turn."""
    trace, parent = read(left.context)
    above = _hex(parent) if parent else None
    if left.kind == MESSAGE and left.message_id is not None:
        way = _hex(span_of(left.message_id, 0, left.agent_id))
        attributes = _of_message(left, left.message_id)
        if left.span == span_of(left.message_id, 1, left.agent_id):
            yield Span(
                trace_id=trace,
                span_id=way,
                parent_id=above,
                name=ROUTING,
                began_ns=left.sent_ns,
                ended_ns=left.placed_ns,
                shard=shard,
                attributes={**attributes, "messaging.operation.type": "send", "messaging.operation.name": "route"},
            )
        above = way
        told = {**attributes, "messaging.operation.type": "process", "messaging.operation.name": "process"}
    elif left.kind == MESSAGE:
        return
    else:
        told = _of_other(left)
    yield Span(
        trace_id=trace,
        span_id=_hex(left.span),
        parent_id=above,
        name=_NAMES[left.kind],
        began_ns=left.began_ns,
        ended_ns=left.ended_ns,
        waited_ns=left.began_ns - left.placed_ns,
        outcome=left.outcome,
        shard=shard,
        attributes=told,
    )


def _hex(span: int) -> str:
    return f"{span:016x}"


def _of_message(left: LeftSpan, message_id: bytes) -> dict[str, Value]:
    told: dict[str, Value] = {
        "message_id": str(MessageId(message_id)),
        "sender": str(AgentId(left.sender)),
        "performative": ACTS[left.performative],
        "agent_id": str(AgentId(left.agent_id)),
        "agent_name": left.agent,
        "lane": "durable" if left.is_durable else "volatile",
        "messaging.system": _SYSTEM,
        "messaging.destination.name": left.agent,
        "messaging.message.id": str(MessageId(message_id)),
        "messaging.message.body.size": left.content_bytes,
    }
    if left.by_program:
        told["attached"] = True
    if left.conversation_id is not None:
        told["conversation_id"] = told["messaging.message.conversation_id"] = str(ConversationId(left.conversation_id))
    return told


def _of_other(left: LeftSpan) -> dict[str, Value]:
    told: dict[str, Value] = dict(left.attributes)
    if left.kind not in {DEPLOY, CONTRACT_NET}:
        told |= {"name": left.agent, "agent_id": str(AgentId(left.agent_id))}
    return told
