"""What a client asks about traces: the spans that sampled messages left."""

import asyncio
from collections.abc import Sequence

import msgspec

from caxton.client.calls.arguments import check_whole
from caxton.client.connection import Connection
from caxton.errors import ShardUnavailable, ValidationError
from caxton.printable import shown
from caxton.wire.span import Span, named
from caxton.wire.spans import MAX_SPANS_PAGE, ReadSpans, SpanCursor, SpanPage

# Of what one call returns, and what it returns where nobody says.
MOST_SPANS, DEFAULT_SPANS = 1_000_000, 100_000


class Spans(msgspec.Struct, frozen=True, kw_only=True):
    """Spans of all shards, in the order in which they began. cursor: where to go on.

    missed: how many had made room for others before they were read here. missing: shards that do not serve now. more:
    whether some shard has others already.
    """

    spans: Sequence[Span]
    cursor: SpanCursor
    missed: int = 0
    missing: Sequence[int] = ()
    more: bool = False


class SpanCalls(Connection):
    """Spans that sampled messages left: see docs/tracing.md."""

    async def spans(self, after: SpanCursor | None = None, *, limit: int = DEFAULT_SPANS) -> Spans:
        """Return the spans that sampled messages left behind `after`, the `cursor` of an earlier answer, or all kept.

        Each shard keeps 16,384 turns, and about 16 MiB. Reading takes nothing away, so several programs may. limit:
        about how many are returned, from 1 to 1,000,000. Raises ValidationError, NetworkError, Timeout.
        """
        if after is not None and not isinstance(after, SpanCursor):
            raise ValidationError("after", f"{shown(after)} is not the cursor of an answer")
        check_whole("limit", limit, 1, MOST_SPANS)
        cursor = SpanCursor() if after is None else after
        shards = range(self._open().shards)
        of_each = -(-limit // len(shards))
        told = await asyncio.gather(
            *(self._spans_of(shard, cursor.shards.get(shard, (0, 0)), of_each) for shard in shards),
            return_exceptions=True,
        )
        spans: list[Span] = []
        read, missing, missed, more = dict(cursor.shards), [], 0, False
        for shard, part in enumerate(told):
            if isinstance(part, ShardUnavailable):
                missing.append(shard)
            elif isinstance(part, BaseException):
                raise part
            else:
                found, page, lost = part
                spans += found
                read[shard] = (page.incarnation, page.last)
                missed += lost
                more = more or page.more
        spans.sort(key=lambda span: span.began_ns)
        return Spans(spans=spans, cursor=SpanCursor(read), missed=missed, missing=missing, more=more)

    async def _spans_of(self, shard: int, read: tuple[int, int], most: int) -> tuple[list[Span], SpanPage, int]:
        """Return spans of one shard, its last page, and how many were missed."""
        spans: list[Span] = []
        missed = 0
        while True:
            asked = ReadSpans(*read, min(MAX_SPANS_PAGE, most))
            page = await self._call(shard, asked, SpanPage)
            missed += page.missed if read[0] in {0, page.incarnation} and read[1] else 0
            spans += [span for left in page.spans for span in named(left, shard)]
            most -= len(page.spans)
            if not page.more or most <= 0:
                return spans, page, missed
            read = page.incarnation, page.last
