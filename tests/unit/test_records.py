"""What a process logs, kept for who exports it."""

import logging
import sys
import threading
from contextlib import contextmanager

from caxton import records as records_module
from caxton.records import MOST_RECORD_BYTES, MOST_RECORDS, Records, kept_from_now
from caxton.wire.records import MAX_RECORD_TEXT, MAX_TRACEBACK


def record(text, *arguments, level=logging.INFO, error=None, **extra):
    made = logging.LogRecord("caxton.guest", level, "file", 1, text, arguments, error)
    vars(made).update(extra)
    return made


def test_a_record_says_what_was_logged():
    """When, how much it matters, by whom, printable and on one line, with what it is about."""
    records = Records()
    records.handle(
        record("%s\n\x1b[31m %d", "a", 5, level=logging.ERROR, agent="echo", message_id="m", trace_id="t" * 32)
    )
    (told,) = records.behind(0, 10).records

    assert (told.level, told.logger, told.text) == (logging.ERROR, "caxton.guest", "a \\x1b[31m 5")
    assert (told.agent, told.message_id, told.trace_id, told.traceback) == ("echo", "m", "t" * 32, "")
    assert told.at_ns > 1_700_000_000_000_000_000


def test_an_error_is_kept_with_its_end():
    """A traceback, and of a long one what stands last: the error itself."""
    records = Records()
    try:
        {}["x" * MAX_TRACEBACK + "the end"]
    except KeyError:
        records.handle(record("failed", error=sys.exc_info()))
    (told,) = records.behind(0, 10).records

    assert told.traceback.endswith("the end'")
    assert len(told.traceback) <= MAX_TRACEBACK


def test_what_does_not_fit_its_text_is_no_error(capsys, monkeypatch):
    """Whoever logs goes on."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    records = Records()
    records.handle(record("%d", "no number"))
    assert records.behind(0, 10).records == []


def test_pages_follow_one_another():
    """Each goes on behind the last one, and says whether there is more; a number that was never given is the last."""
    records = Records()
    for number in range(5):
        records.handle(record(str(number)))

    first = records.behind(0, 3)
    second = records.behind(first.last, 3)
    assert [one.text for one in first.records + second.records] == ["0", "1", "2", "3", "4"]
    assert (first.last, first.missed, first.more) == (3, 0, True)
    assert (second.last, second.missed, second.more) == (5, 0, False)
    assert records.behind(5, 3) == ([], 5, 0, False)
    assert records.behind(1 << 62, 3) == ([], 5, 0, False)


def test_so_many_are_kept():
    """The oldest make room, and whoever reads is told how many went before they were read."""
    records = Records()
    for number in range(MOST_RECORDS + 7):
        records.handle(record(str(number)))

    page = records.behind(2, 1)
    assert (page.records[0].text, page.last, page.missed, page.more) == ("7", 8, 5, True)


def test_so_many_bytes_are_kept():
    """However long each is: a text is cut, and then the oldest go."""
    records = Records()
    for _ in range(2 * MOST_RECORD_BYTES // MAX_RECORD_TEXT):
        records.handle(record("x" * 10 * MAX_RECORD_TEXT))

    page = records.behind(0, MOST_RECORDS)
    assert {len(one.text) for one in page.records} == {MAX_RECORD_TEXT}
    assert len(page.records) * MAX_RECORD_TEXT <= MOST_RECORD_BYTES
    assert page.missed > 0


@contextmanager
def kept(*but):
    made = kept_from_now(but)
    try:
        yield made
    finally:
        logging.getLogger().removeHandler(made)


def test_what_exporters_say_is_not_exported():
    """Loggers with such names are left out, and only these."""
    with kept("opentelemetry") as records:
        logging.getLogger("opentelemetry.exporter").error("failed")
        logging.getLogger("caxton.gateway").error("kept")
    assert [one.text for one in records.behind(0, 10).records] == ["kept"]


def test_threads_may_log_while_somebody_reads():
    """Nobody's record is lost or told twice."""
    records = Records()
    threads = [threading.Thread(target=lambda: [records.handle(record("x")) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    read, last = 0, 0
    while any(thread.is_alive() for thread in threads) or records.behind(last, 1).records:
        page = records.behind(last, 64)
        read, last = read + len(page.records), page.last
    for thread in threads:
        thread.join()

    assert (read, last) == (2_000, 2_000)
    assert last < records_module.MOST_RECORDS
