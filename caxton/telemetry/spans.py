"""Spans by OpenTelemetry's protocol: those that workers and clients left, made and exported by its library.

Where they go, and how, the library's own variables say: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME and others.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from caxton import __version__
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.wire.span import ROUTING, SCHEMA_URL, Span
from caxton.wire.spans import DONE, SpanCursor

# Between two looks at the shards, and how many spans are read and exported at a time.
LOOK_PERIOD_S, AT_ONCE, A_REQUEST = 1.0, 8_192, 512
_KINDS = {ROUTING: SpanKind.PRODUCER, "message_process": SpanKind.CONSUMER}
log = logging.getLogger("caxton.gateway")


class Exporter(Protocol):
    """What takes spans away."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans; blocks for as long as that takes."""

    def shutdown(self) -> None:
        """Let a waiting export end."""


class SpanExport:
    """Reads what there is each second and exports it. A gateway that was started again tells what is kept once more.

    exported, failed: how many spans were taken, and how many nobody took: these are not tried again.
    """

    def __init__(self, client: Client, exporter: Exporter | None = None) -> None:
        self._client = client
        self._exporter: Exporter = OTLPSpanExporter() if exporter is None else exporter
        self._resource = _resource()
        self._scope = InstrumentationScope("caxton", __version__, SCHEMA_URL)
        self._cursor = SpanCursor()
        self.exported = self.failed = 0

    async def run(self) -> None:
        """Export until this is cancelled."""
        try:
            while True:
                if not await self.look():
                    await asyncio.sleep(LOOK_PERIOD_S)
        finally:
            self._exporter.shutdown()

    async def look(self) -> bool:
        """Export what there is now; returns whether there is more already."""
        try:
            told = await self._client.spans(self._cursor, limit=AT_ONCE)
        except CaxtonError as error:
            log.warning("traces are not read now: %s", error)
            return False
        self._cursor = told.cursor
        if told.missed:
            log.warning("%d spans were gone before they were read", told.missed)
        for start in range(0, len(told.spans), A_REQUEST):
            await self._export(told.spans[start : start + A_REQUEST])
        return told.more

    async def _export(self, spans: Sequence[Span]) -> None:
        made = [self._made(span) for span in spans]
        result = await asyncio.to_thread(self._exporter.export, made)
        if result is SpanExportResult.SUCCESS:
            self.exported += len(made)
        else:
            self.failed += len(made)
            log.warning("%d spans could not be exported", len(made))

    def _made(self, span: Span) -> ReadableSpan:
        parent = None if span.parent_id is None else _context(span.trace_id, span.parent_id, is_remote=True)
        waited = {"caxton.waited_ns": span.waited_ns} if span.name == "message_process" else {}
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
            instrumentation_scope=self._scope,
        )


def _context(trace: str, span: str, *, is_remote: bool) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote, TraceFlags(TraceFlags.SAMPLED))


def _resource() -> Resource:
    """Return what the environment says this is, and caxton where it names no service."""
    found = Resource.create()
    is_named = not str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    return found if is_named else found.merge(Resource({SERVICE_NAME: "caxton"}))
