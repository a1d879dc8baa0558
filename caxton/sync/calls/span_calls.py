"""`caxton.client.calls.span_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from caxton.client.calls.span_calls import DEFAULT_SPANS, Spans
from caxton.sync.connection import Connection
from caxton.wire.spans import SpanCursor


class SpanCalls(Connection):
    """Spans that sampled messages left: see docs/tracing.md."""

    def spans(self, after: SpanCursor | None = None, *, limit: int = DEFAULT_SPANS) -> Spans:
        """Return the spans that sampled messages left behind `after`, the `cursor` of an earlier answer, or all kept.

        Each shard keeps 16,384 turns, and about 16 MiB. Reading takes nothing away, so several programs may. limit:
        about how many are returned, from 1 to 1,000,000. Raises ValidationError, NetworkError, Timeout.
        """
        return self._run(self._client.spans(after, limit=limit))
