"""Logs by OpenTelemetry's protocol: what workers and the gateway log, guests' lines among it, and events."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

import orjson
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from caxton.client.calls.kept_records import records
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.records import Records
from caxton.telemetry.collector_line import BoundedExporter
from caxton.telemetry.exported import LOGS, Exported
from caxton.telemetry.origin import SCOPE, resource
from caxton.telemetry.sender import Exporter, Sender
from caxton.wire.events import EventView
from caxton.wire.records import Record, RecordCursor

# Between two looks, and how many records are exported at a time.
LOOK_PERIOD_S, A_REQUEST = 1.0, 500
# What the libraries say that export: it would be exported, too, and they would have more to say.
NOT_TOLD = ("opentelemetry", "requests", "urllib3")
_NS_PER_MS = 1_000_000
_SEVERITIES = {
    "info": (logging.INFO, "info"),
    "warning": (logging.WARNING, "warning"),
    "error": (logging.ERROR, "error"),
}
_NUMBERS = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)
Value = str | int | float | bool
T = TypeVar("T")
# Of a number in an attribute, its sign aside.
_BITS = 63
log = logging.getLogger("caxton.gateway")


class LogExport:
    """Reads what there is each second and exports it. A gateway that was started again tells what is kept once more.

    own: what this process logs. What is not taken is not tried again, and counted in `exported`.
    """

    def __init__(
        self,
        client: Client,
        own: Records,
        exported: Exported,
        exporter: Exporter[Sequence[ReadableLogRecord]] | None = None,
    ) -> None:
        self._client = client
        self._own = own
        self._sender = Sender(LOGS, BoundedExporter(OTLPLogExporter) if exporter is None else exporter, exported)
        self._resource = resource()
        self._cursor = RecordCursor()
        self._own_read = 0
        self._event = ""

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
        own = self._own.behind(self._own_read, A_REQUEST)
        self._own_read = own.last
        self._sender.missed(own.missed)
        await self._send(partial(_of_record, about={"caxton.process": "gateway"}), own.records)
        try:
            more = await self._look_at_workers()
            await self._look_at_events()
        except CaxtonError as error:
            log.warning("logs are not read now: %s", error)
            return False
        return own.more or more

    async def _look_at_workers(self) -> bool:
        told = await records(self._client, self._cursor)
        self._cursor = told.cursor
        self._sender.missed(told.missed)
        for part in told.shards:
            about: dict[str, Value] = {"caxton.process": "worker", "caxton.shard": part.shard}
            await self._send(partial(_of_record, about=about), part.records)
        return told.more

    async def _look_at_events(self) -> None:
        """Export what happened, a request at a time, as it is read."""
        some: list[EventView] = []
        async for event in self._client.events(after=self._event):
            self._event = event.cursor or self._event
            some.append(event)
            if len(some) == A_REQUEST:
                await self._send(_of_event, some)
                some = []
        await self._send(_of_event, some)

    async def _send(self, made: Callable[[T], LogRecord], told: Sequence[T]) -> None:
        if told:
            await self._sender.send(
                lambda: [ReadableLogRecord(made(one), self._resource, SCOPE) for one in told], len(told)
            )


def _of_record(record: Record, about: Mapping[str, Value]) -> LogRecord:
    level = logging.getLevelName(record.level).lower()
    attributes: dict[str, Value] = {"caxton.logger": record.logger, **about}
    told = {"agent_name": record.agent, "message_id": record.message_id, "exception.stacktrace": record.traceback}
    attributes |= {name: text for name, text in told.items() if text}
    return _made(record.at_ns, record.level, level, record.text, attributes, trace=record.trace_id)


def _of_event(event: EventView) -> LogRecord:
    level, severity = _SEVERITIES.get(event.severity, _SEVERITIES["info"])
    attributes: dict[str, Value] = {"caxton.process": "supervisor", **dict(_plain(event.fields))}
    if event.cursor:
        attributes["caxton.event.cursor"] = event.cursor
    if event.shard is not None:
        attributes["caxton.shard"] = event.shard
    if event.agent:
        attributes |= {"agent_name": event.agent, "agent_id": f"{event.agent_id:016x}"}
    return _made(event.at * _NS_PER_MS, level, severity, event.text, attributes, name=event.kind)


def _made(
    at_ns: int, level: int, severity: str, text: str, attributes: dict[str, Value], *, name: str = "", trace: str = ""
) -> LogRecord:
    span = SpanContext(
        int(trace or "0", 16), 0, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED * bool(trace))
    )
    return LogRecord(
        timestamp=at_ns,
        observed_timestamp=time.time_ns(),
        context=set_span_in_context(NonRecordingSpan(span)),
        severity_text=severity,
        severity_number=next((number for least, number in _NUMBERS if level >= least), SeverityNumber.TRACE),
        body=text,
        attributes=attributes,
        event_name=name or None,
    )


def _plain(fields: Mapping[str, object]) -> Iterator[tuple[str, Value]]:
    """Yield fields as attributes; numbers beyond 63 bits are text, and what is no plain value is JSON."""
    for name, value in fields.items():
        if isinstance(value, int) and value.bit_length() > _BITS:
            yield name, str(value)
        elif isinstance(value, str | int | float | bool):
            yield name, value
        elif value is not None:
            yield name, orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
