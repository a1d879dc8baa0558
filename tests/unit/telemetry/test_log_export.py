"""Logs and events as a collector is told of them."""

import logging

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs.export import LogRecordExportResult

from caxton.errors import NetworkError, ShardUnavailable
from caxton.placement.slot_table import SlotTable
from caxton.records import Records
from caxton.telemetry.exported import GONE, LOGS, NOT_TAKEN, Exported
from caxton.telemetry.logs import A_REQUEST, LogExport
from caxton.wire.events import EventView
from caxton.wire.records import ReadRecords, Record, RecordPage

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Played:
    """A client of two shards, of which one does not serve and one has these answers; and an exporter."""

    rejected = 0

    def __init__(self, records=(), events=()):
        self.answers, self.happened = [*records], [*events]
        self.asked, self.after, self.taken, self.ended = [], [], [], False
        self.table = SlotTable.even(2)

    def _reach(self):
        return self

    async def call(self, shard, asked, kind, timeout_s):
        if shard == 0:
            raise ShardUnavailable(0, "down")
        self.asked.append(asked)
        answer = self.answers.pop(0) if self.answers else RecordPage(7, 0, 0, more=False, records=[])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def events(self, *, after):
        self.after.append(after)
        for event in self.happened:
            yield event
        self.happened.clear()

    def export(self, batch):
        for one in encode_logs(batch).resource_logs:
            self.taken.append([record for scope in one.scope_logs for record in scope.log_records])
        return LogRecordExportResult.SUCCESS

    def shutdown(self):
        self.ended = True


def attributes(record):
    return {one.key: one.value.string_value or one.value.int_value for one in record.attributes}


def told(*records, missed=0, more=False):
    return RecordPage(7, len(records), missed, more, list(records))


async def test_a_guests_line_has_its_trace():
    """Its severity, what it says, its agent, its message and its shard."""
    line = Record(5, logging.WARNING, "caxton.guest", "echo: hello", "echo", "an id", TRACE)
    played = Played([told(line)])
    await LogExport(played, Records(), exported := Exported(), played).look()

    ((record,),) = played.taken
    assert (record.time_unix_nano, record.severity_text, record.severity_number) == (5, "warning", 13)
    assert (record.body.string_value, record.trace_id.hex(), record.flags) == ("echo: hello", TRACE, 1)
    assert attributes(record) == {
        "caxton.logger": "caxton.guest",
        "caxton.process": "worker",
        "caxton.shard": 1,
        "agent_name": "echo",
        "message_id": "an id",
    }
    assert exported.taken == {LOGS: 1}


async def test_an_error_of_a_worker_has_its_traceback():
    """And no trace, where it belongs to none."""
    played = Played([told(Record(5, logging.CRITICAL, "caxton", "an error", traceback="line 1\nline 2"))])
    await LogExport(played, Records(), Exported(), played).look()

    ((record,),) = played.taken
    assert attributes(record)["exception.stacktrace"] == "line 1\nline 2"
    assert (record.severity_number, record.trace_id, record.flags) == (21, b"", 0)


async def test_an_event_has_its_kind_and_its_fields():
    """Plain values as they are, all else as JSON; and the cursor by which one that is told twice is known."""
    event = EventView(
        "worker_died", "error", "it died", 3, {"pid": 5, "shards": [1], "why": None}, 0, "echo", 255, number=4, run=2
    )
    played = Played(events=[event])
    export = LogExport(played, Records(), Exported(), played)
    await export.look()
    await export.look()

    ((record,),) = played.taken
    assert (record.event_name, record.severity_number, record.time_unix_nano) == ("worker_died", 17, 3_000_000)
    assert attributes(record) == {
        "caxton.process": "supervisor",
        "pid": 5,
        "shards": "[1]",
        "caxton.event.cursor": "2-4",
        "caxton.shard": 0,
        "agent_name": "echo",
        "agent_id": "00000000000000ff",
    }
    assert played.after == ["", "2-4"]


async def test_an_event_with_odd_fields_takes_no_others_with_it():
    """Numbers that no attribute can be are text, and keys may be anything; what cannot be told at all is counted."""
    odd = EventView("ready", "loud", "x", 1, {"id": 1 << 63, "most": (1 << 63) - 1, "by": {1: 2}}, number=1, run=1)
    played = Played(events=[odd])
    await LogExport(played, Records(), exported := Exported(), played).look()
    ((record,),) = played.taken
    told = attributes(record)
    assert (told["id"], told["most"], told["by"]) == (str(1 << 63), (1 << 63) - 1, '{"1":2}')

    played = Played(events=[EventView("ready", "info", "x", 1, {"by": {1 << 70: 2}}, number=1, run=1)])
    await LogExport(played, Records(), exported := Exported(), played).look()
    assert exported.dropped == {(LOGS, NOT_TAKEN): 1}


async def test_what_the_gateway_logs_is_exported_too():
    """Each record once, and what had made room is counted."""
    own, played = Records(), Played()
    for number in range(3):
        own.handle(logging.LogRecord("caxton.gateway", logging.INFO, "file", 1, str(number), (), None))
    export = LogExport(played, own, exported := Exported(), played)
    await export.look()
    await export.look()

    assert [[record.body.string_value for record in taken] for taken in played.taken] == [["0", "1", "2"]]
    assert exported.dropped == {}


async def test_each_look_goes_on_where_the_last_one_ended(caplog):
    """Also after one that could not be; what is missing is counted, and whoever has more is asked again at once."""
    caplog.set_level(logging.WARNING, "caxton.gateway")
    one = Record(5, logging.INFO, "caxton.worker", "x")
    played = Played([told(one, missed=4, more=True), NetworkError("the runtime", "it ended"), told(one)])
    export = LogExport(played, Records(), exported := Exported(), played)
    assert await export.look()
    assert not await export.look()
    assert not await export.look()

    assert played.asked == [ReadRecords(0, 0), ReadRecords(7, 1), ReadRecords(7, 1)]
    assert exported.dropped == {(LOGS, GONE): 4}
    assert "logs are not read now" in caplog.text


async def test_a_request_has_so_many_events_and_no_more():
    """However many there are to be told."""
    events = [EventView("agent_stopped", "info", "x", 1, number=at + 1, run=1) for at in range(A_REQUEST + 1)]
    played = Played(events=events)
    await LogExport(played, Records(), Exported(), played).look()
    assert [len(taken) for taken in played.taken] == [A_REQUEST, 1]


async def test_the_end_is_the_exporters_too():
    """Whatever ends it."""
    played = Played([RuntimeError("played")])
    with pytest.raises(RuntimeError):
        await LogExport(played, Records(), Exported(), played).run()
    assert played.ended
