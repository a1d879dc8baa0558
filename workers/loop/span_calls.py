"""Calls for what sampled turns left: read from memory, and what clients leave beside it."""

from time import monotonic_ns, time_ns

import msgspec

from caxton.acl.envelope import DURABLE
from caxton.acl.trace_context import is_sampled
from caxton.errors import ValidationError
from caxton.wire.calls import Done
from caxton.wire.spans import DEPLOY, MAX_SPAN_BYTES, MESSAGE, SPAWN, LeaveSpans, LeftSpan, ReadSpans, SpanPage
from workers.loop.shard import Shard
from workers.watching.spans import Left
from workers.worker_pass import NS_PER_MS, SpawnLeft


class SpanCalls:
    """Answers `ReadSpans` and `LeaveSpans`."""

    def __init__(self, shard: Shard) -> None:
        self._spans = shard.watching.spans
        self._own = shard.incarnation

    def answer(self, asked: ReadSpans | LeaveSpans) -> SpanPage | Done:
        """Return a page of spans, or keep some. Raises ValidationError for one of no trace, or that is too large."""
        if isinstance(asked, LeaveSpans):
            for span in asked.spans:
                if span.kind < DEPLOY or not is_sampled(span.context):
                    raise ValidationError("spans", "one is of a turn, or belongs to no trace that is sampled")
                if (size := len(msgspec.msgpack.encode(span))) > MAX_SPAN_BYTES:
                    raise ValidationError("spans", f"one has {size:,} bytes, beyond {MAX_SPAN_BYTES:,}")
            self._spans.add(asked.spans)
            return Done()
        after = asked.after if asked.incarnation == self._own else 0
        first = self._spans.last - len(self._spans)
        page = list(self._spans.behind(after, asked.limit))
        last = page[-1][0] if page else max(after, first)
        since_ns = time_ns() - monotonic_ns()
        spans = [_told(left, since_ns) for _, left in page]
        return SpanPage(self._own, last, max(0, first - after), last < self._spans.last, spans)


def _told(left: Left, since_ns: int) -> LeftSpan:
    """Return what was left with times since 1970; since_ns: when the monotonic clock was 0."""
    if isinstance(left, SpawnLeft):
        began_ns, ended_ns = left.began_ns + since_ns, left.ended_ns + since_ns
        return LeftSpan(
            SPAWN,
            left.context,
            left.span,
            began_ns,
            began_ns,
            began_ns,
            ended_ns,
            agent_id=left.agent_id,
            agent=left.name,
        )
    if isinstance(left, LeftSpan):
        return left
    context, span, agent, name, message, conversation, sender, act, size, flags, sent_ms = left[:11]
    by_program, placed_ns, began_ns, ended_ns, outcome = left[11:]
    return LeftSpan(
        MESSAGE,
        context,
        span,
        min(sent_ms * NS_PER_MS, placed_ns + since_ns),
        placed_ns + since_ns,
        began_ns + since_ns,
        ended_ns + since_ns,
        outcome,
        agent,
        name,
        message,
        conversation,
        sender,
        act,
        size,
        bool(flags & DURABLE),
        by_program=by_program,
    )
