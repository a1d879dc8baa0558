"""What is exported of traces, and what becomes of it when nobody takes it."""

import logging

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import SpanKind, StatusCode

from caxton.acl.trace_context import span_of
from caxton.client.calls.span_calls import Spans
from caxton.errors import NetworkError
from caxton.telemetry.exported import GONE, NOT_TAKEN, TRACES, Exported
from caxton.telemetry.spans import A_REQUEST, SpanExport
from caxton.wire.span import SCHEMA_URL, Span, named
from caxton.wire.spans import MESSAGE, LeftSpan, SpanCursor


def span(number, **fields):
    known = {"name": "message_process", "parent_id": None, "attributes": {"performative": "inform"}} | fields
    return Span(trace_id="a" * 32, span_id=f"{number:016x}", began_ns=number, ended_ns=number + 5, **known)


class Played:
    """A client with these answers, and an exporter that takes what it is told, or nothing."""

    rejected = 0

    def __init__(self, *answers, result=SpanExportResult.SUCCESS):
        self.answers, self.result = [*answers], result
        self.asked, self.taken, self.ended = [], [], False

    async def spans(self, cursor, *, limit):
        self.asked.append((cursor, limit))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def export(self, spans):
        self.taken.append([*spans])
        return self.result

    def shutdown(self):
        self.ended = True


async def test_a_span_is_exported_with_what_is_known_of_it():
    """Its ids, its parent, its kind, its times and attributes, and whether it failed."""
    spans = [span(7, parent_id="b" * 16, outcome="failed", waited_ns=3, shard=1), span(8, name="message_routing")]
    played = Played(Spans(spans=spans, cursor=SpanCursor({0: (1, 2)})))
    export = SpanExport(played, exported := Exported(), played)
    assert not await export.look()
    ((first, second),) = played.taken
    assert (first.context.span_id, first.parent.span_id, first.start_time, first.end_time) == (
        7,
        int("b" * 16, 16),
        7,
        12,
    )
    assert dict(first.attributes) == {"performative": "inform", "caxton.waited_ns": 3, "caxton.shard": 1}
    assert (first.kind, second.kind) == (SpanKind.CONSUMER, SpanKind.PRODUCER)
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert second.parent is None
    assert first.instrumentation_scope.schema_url == SCHEMA_URL
    assert (exported.taken, exported.dropped) == ({TRACES: 2}, {})


async def test_each_look_goes_on_where_the_last_one_ended():
    """Also after one that could not be; and whoever has more is asked again at once."""
    cursor = SpanCursor({0: (1, 2)})
    played = Played(Spans(spans=[], cursor=cursor, more=True), NetworkError("the runtime", "it ended"))
    export = SpanExport(played, Exported(), played)
    assert await export.look()
    assert not await export.look()
    assert [asked for asked, _ in played.asked] == [SpanCursor(), cursor]


async def test_what_nobody_takes_is_counted(caplog):
    """And said once, until something is taken again; the next spans are tried again."""
    caplog.set_level(logging.WARNING, "caxton.gateway")
    spans = [span(number + 1) for number in range(A_REQUEST + 1)]
    told = [Spans(spans=spans, cursor=SpanCursor(), missed=4), Spans(spans=spans[:1], cursor=SpanCursor())]
    played = Played(*told, result=SpanExportResult.FAILURE)
    export = SpanExport(played, exported := Exported(), played)
    await export.look()
    assert (exported.taken, exported.dropped) == ({}, {(TRACES, GONE): 4, (TRACES, NOT_TAKEN): A_REQUEST + 1})
    assert len(played.taken) == 2

    played.result = SpanExportResult.SUCCESS
    await export.look()
    assert exported.taken == {TRACES: 1}
    assert [record.getMessage() for record in caplog.records] == [
        "4 of the traces were gone before they were read",
        "traces are not exported: the collector does not take them",
        "traces are exported again; 513 were not",
    ]


async def test_what_cannot_be_exported_ends_nothing():
    """An exporter that fails on a batch loses that batch."""

    class Broken(Played):
        def export(self, spans):
            raise UnicodeEncodeError("utf-8", "x", 0, 1, "played")

    played = Broken(Spans(spans=[span(1)], cursor=SpanCursor()))
    await SpanExport(played, exported := Exported(), played).look()
    assert exported.dropped == {(TRACES, NOT_TAKEN): 1}


async def test_the_end_is_the_exporters_too():
    """Whatever ends it."""
    played = Played(RuntimeError("played"))
    with pytest.raises(RuntimeError):
        await SpanExport(played, Exported(), played).run()
    assert played.ended


def test_names_are_those_of_the_conventions():
    """Each attribute of messaging has a name, and an operation a type, that the pinned revision knows."""
    assert SCHEMA_URL in {schema.value for schema in Schemas}
    known = {value for name, value in vars(messaging_attributes).items() if name.startswith("MESSAGING_")}
    types = {one.value for one in messaging_attributes.MessagingOperationTypeValues}
    ids = {"agent_id": 5, "sender": 6, "message_id": bytes(16), "conversation_id": bytes(16)}
    left = LeftSpan(MESSAGE, f"00-{'a' * 32}-{'b' * 16}-01", span_of(bytes(16), 1, 5), 1, 2, 3, 4, **ids)
    told = [span.attributes for span in named(left, 0)]

    assert len(told) == 2
    assert {name for attributes in told for name in attributes if name.startswith("messaging.")} <= known
    assert {attributes["messaging.operation.type"] for attributes in told} == {"send", "process"} <= types
