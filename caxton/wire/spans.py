"""What sampled turns left, asked for by who makes spans of it: by number, so that several may read.

A worker keeps a few numbers for each (`workers/watching/spans.py`); spans with names are made by who reads them.
"""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Id, UuidBytes
from caxton.agents.names import MAX_NAME

# Spans in an answer; and those that a client leaves at a time.
MAX_SPANS_PAGE, MAX_LEFT = 1_000, 256
MAX_ATTRIBUTES = 16
# Of one that a client leaves, as it travels: a page of the largest is far below what a socket takes.
MAX_SPAN_BYTES = 2 << 10
# How a turn ended.
DONE, FAILED, AGENT_ERROR, EXPIRED = "done", "failed", "agent_error", "expired"
# What a span is about: a message and its turn, an agent's instance, a deployment, a contract net.
MESSAGE, SPAWN, DEPLOY, CONTRACT_NET = range(4)
Context = Annotated[str, msgspec.Meta(min_length=55, max_length=55)]
SpanId = Annotated[int, msgspec.Meta(gt=0)]
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Word = Annotated[str, msgspec.Meta(max_length=255)]
Attributes = Annotated[dict[Word, Word], msgspec.Meta(max_length=MAX_ATTRIBUTES)]


class LeftSpan(msgspec.Struct, array_like=True, frozen=True):
    """What is known of one span. context: the trace, and the span that it follows from. Times in ns since 1970.

    Of a message sent_ns is when it was sent, placed_ns when its shard had it, and then its turn began; of all else
    these three are one moment. attributes: of what a client left. by_program: a program had the
    turn, of an attached agent.
    """

    kind: Annotated[int, msgspec.Meta(ge=MESSAGE, le=CONTRACT_NET)]
    context: Context
    span: SpanId
    sent_ns: Id
    placed_ns: Id
    began_ns: Id
    ended_ns: Id
    outcome: Word = DONE
    agent_id: Id = 0
    agent: Name = ""
    message_id: UuidBytes | None = None
    conversation_id: UuidBytes | None = None
    sender: Id = 0
    performative: Annotated[int, msgspec.Meta(ge=0, le=21)] = 0
    content_bytes: Id = 0
    is_durable: bool = False
    attributes: Attributes = {}
    by_program: bool = False


class ReadSpans(msgspec.Struct, array_like=True, tag=75, frozen=True):
    """Ask for spans behind the number `after` of the worker `incarnation`; another one's are read from the first."""

    incarnation: Id = 0
    after: Id = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_SPANS_PAGE)] = MAX_SPANS_PAGE


class LeaveSpans(msgspec.Struct, array_like=True, tag=76, frozen=True):
    """Leave what a client itself did in a trace. One of more than MAX_SPAN_BYTES is refused, and the others with it."""

    spans: Annotated[list[LeftSpan], msgspec.Meta(max_length=MAX_LEFT)]


class SpanPage(msgspec.Struct, array_like=True, tag=77, frozen=True):
    """Spans, in the order in which they ended. last: the number of the last of these. missed: those not kept before.

    more: whether there are others behind them.
    """

    incarnation: Id
    last: Id
    missed: Id
    more: bool
    spans: Annotated[list[LeftSpan], msgspec.Meta(max_length=MAX_SPANS_PAGE)]


class SpanCursor(msgspec.Struct, array_like=True, frozen=True):
    """How far the spans of each shard were read: its worker's incarnation, and the number of the last one."""

    shards: dict[int, tuple[int, int]] = {}


SpanRequest = ReadSpans | LeaveSpans
