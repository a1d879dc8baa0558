import logging

from caxton.records import Records
from caxton.wire.records import ReadRecords
from workers.loop.record_calls import RecordCalls


def test_nothing_is_told_where_nothing_is_kept(shard):
    """A runtime that exports nothing keeps nothing."""
    page = RecordCalls(shard.parts).answer(ReadRecords())
    assert (page.records, page.more, page.missed) == ([], False, 0)


def test_another_workers_cursor_begins_anew(shard):
    """A number is of one worker's records: behind that of another one all are told."""
    shard.parts.watching.records = records = Records()
    for text in "ab":
        records.handle(logging.LogRecord("caxton.worker", logging.INFO, "file", 1, text, (), None))
    calls, own = RecordCalls(shard.parts), shard.parts.incarnation

    assert [one.text for one in calls.answer(ReadRecords(own, 1)).records] == ["b"]
    page = calls.answer(ReadRecords(own + 1, 2, 1))
    assert ([one.text for one in page.records], page.last, page.more, page.incarnation) == (["a"], 1, True, own)
