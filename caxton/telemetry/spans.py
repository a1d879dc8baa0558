"""Spans by OpenTelemetry's protocol: those that workers and clients left, made and exported by its library.

Where they go, and how, the library's own variables say: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and others.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.telemetry.collector_line import BoundedExporter
from caxton.telemetry.exported import TRACES, Exported
from caxton.telemetry.origin import SCOPE, resource
from caxton.telemetry.sender import Exporter, Sender
from caxton.wire.span import PROCESS, ROUTING, Span
from caxton.wire.spans import DONE, SpanCursor

# Between two looks at the shards, and how many spans are read and exported at a time.
LOOK_PERIOD_S, AT_ONCE, A_REQUEST = 1.0, 8_192, 512
_KINDS = {ROUTING: SpanKind.PRODUCER, PROCESS: SpanKind.CONSUMER}
log = logging.getLogger("caxton.gateway")


class SpanExport:
    """Reads what there is each second and exports it. A gateway that was started again tells what is kept once more.

    What is not taken is not tried again, and counted in `exported`.
    """

    def __init__(
        self, client: Client, exported: Exported, exporter: Exporter[Sequence[ReadableSpan]] | None = None
    ) -> None:
        self._client = client
        self._sender = Sender(TRACES, BoundedExporter(OTLPSpanExporter) if exporter is None else exporter, exported)
        self._resource = resource()
        self._cursor = SpanCursor()

    async def run(self) -> None:
        """Export until this is cancelled."""
        try:
            while True:
                if not await self.look():
                    await asyncio.sleep(LOOK_PERIOD_S)
        finally:
            self._sender.close()

    async def look(self) -> bool:
        """Export what there is now; returns whether there is more already."""
        try:
            told = await self._client.spans(self._cursor, limit=AT_ONCE)
        except CaxtonError as error:
            log.warning("traces are not read now: %s", error)
            return False
        self._cursor = told.cursor
        self._sender.missed(told.missed)
        for start in range(0, len(told.spans), A_REQUEST):
            some = told.spans[start : start + A_REQUEST]
            await self._sender.send(partial(self._made_of, some), len(some))
        return told.more

    def _made_of(self, spans: Sequence[Span]) -> Sequence[ReadableSpan]:
        return [self._made(span) for span in spans]

    def _made(self, span: Span) -> ReadableSpan:
        parent = None if span.parent_id is None else _context(span.trace_id, span.parent_id, is_remote=True)
        waited = {"caxton.waited_ns": span.waited_ns} if span.name == PROCESS else {}
        return ReadableSpan(
            span.name,
            context=_context(span.trace_id, span.span_id, is_remote=False),
            parent=parent,
            resource=self._resource,
            attributes={**span.attributes, **waited, "caxton.shard": span.shard},
            kind=_KINDS.get(span.name, SpanKind.INTERNAL),
            status=Status() if span.outcome == DONE else Status(StatusCode.ERROR, span.outcome),
            start_time=span.began_ns,
            end_time=span.ended_ns,
            instrumentation_scope=SCOPE,
        )


def _context(trace: str, span: str, *, is_remote: bool) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote, TraceFlags(TraceFlags.SAMPLED))
