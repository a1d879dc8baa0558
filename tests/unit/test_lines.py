"""Lines into files, pipes and terminals that are full, closed, or read by nobody."""

import json
import logging
import os
import pty
import select
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from caxton.lines import MOST_OF_LINE, Lines, LogLines


@pytest.fixture
def lines_to():
    """Lines that are closed at the end."""
    made = []

    def make(descriptor, kind=Lines):
        made.append(kind(descriptor))
        return made[-1]

    yield make
    for lines in made:
        lines.close()
        lines.close()


@pytest.fixture
def pipe():
    """A pipe: where to read and where to write."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def fill(descriptor):
    """Put into a pipe whatever there is room for; returns how much that was."""
    other = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    written = 0
    try:
        while True:
            written += os.write(other, b"x" * 1_000)
    except BlockingIOError:
        return written
    finally:
        os.close(other)


def test_lines_are_written_at_once(pipe, lines_to):
    """A line is there when it was written, with its end, and what UTF-8 cannot carry as an escape."""
    lines = lines_to(pipe[1])

    assert lines.write("a line \udcff")
    assert os.read(pipe[0], 100) == b"a line \\udcff\n"


def test_a_reader_that_does_not_read_is_not_waited_for(pipe, lines_to):
    """A line that finds no room is missed and counted; the next one that finds room starts on a line of its own."""
    lines = lines_to(pipe[1])
    written = fill(pipe[1])
    os.read(pipe[0], 3_000)  # less than a page that is free again

    missed = 0
    while lines.write("y" * 3_000) is False:
        missed += 1
        assert lines.missed == missed
        os.read(pipe[0], 4_096)

    assert missed >= 1
    assert lines.missed == 0
    assert os.get_blocking(pipe[1])
    rest = b""
    while not rest.endswith(b"\n"):
        rest += os.read(pipe[0], 1 << 16)
    assert rest.split(b"\n")[-2].lstrip(b"x") == b"y" * 3_000
    assert written > 0


def test_nobody_left_to_read_is_no_error(pipe, lines_to):
    """Without a reader every line is missed, and none fails."""
    lines = lines_to(pipe[1])
    os.close(pipe[0])

    assert [lines.write("a line") for _ in range(3)] == [False] * 3
    assert lines.missed == 3


def test_a_full_disk_is_no_error(lines_to):
    """Where there is no room on the disk every line is missed; the same for a descriptor that is closed."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        lines = lines_to(full.fileno())
        assert not lines.write("a line")
    closed = os.dup(0)
    os.close(closed)

    assert not lines_to(closed).write("a line")


def test_a_terminal_that_is_gone_is_no_error(lines_to):
    """A terminal that nobody reads has no room some time; one that was closed fails no line either."""
    reader, terminal = pty.openpty()
    lines = lines_to(terminal)
    try:
        assert lines.write("a line")
        while lines.write("z" * 1_000):
            continue
    finally:
        os.close(reader)

    assert not lines.write("a line")
    os.close(terminal)


def test_log_records_are_printable_lines(pipe, lines_to):
    """A record is one line with its logger's name, whatever is in it; a traceback stands indented below it."""
    handler = lines_to(pipe[1], LogLines)
    error = ValueError("bad\nevil: forged \x1b[31m")
    told = (ValueError, error, None)
    handler.emit(logging.LogRecord("caxton.x", logging.ERROR, "", 1, "%s\x1b[2J", ("two\nlines",), None))
    handler.emit(logging.LogRecord("caxton.x", logging.ERROR, "", 1, "it failed", (), told))

    first, second, *traced = os.read(pipe[0], 1 << 16).decode().splitlines()
    assert (first, second) == ("caxton.x: two\\nlines\\x1b[2J", "caxton.x: it failed")
    assert traced == ["    ValueError: bad", "    evil: forged \\x1b[31m"]


def test_a_record_says_how_many_were_left_out(pipe, lines_to):
    """The first record after some that found no room says how many they were."""
    handler = lines_to(pipe[1], LogLines)
    record = logging.LogRecord("caxton.x", logging.INFO, "", 1, "a line", (), None)
    fill(pipe[1])
    handler.emit(record)
    handler.emit(record)
    while not os.read(pipe[0], 1 << 20).endswith(b"x"):
        continue
    handler.emit(record)

    assert os.read(pipe[0], 1 << 20) == b"caxton.x: a line (2 lines before this one were not shown)\n"


def test_a_record_that_cannot_be_formatted_ends_nothing(pipe, lines_to, monkeypatch):
    """Arguments that do not fit their message are reported by logging itself, and the handler goes on."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = lines_to(pipe[1], LogLines)
    handler.emit(logging.LogRecord("caxton.x", logging.INFO, "", 1, "%d", ("text",), None))
    handler.emit(logging.LogRecord("caxton.x", logging.INFO, "", 1, "%s", ("text",), None))

    assert os.read(pipe[0], 100) == b"caxton.x: text\n"


def test_records_are_json_objects_where_that_is_asked_for(pipe, lines_to):
    """One a line, whatever is in them, with what is known beside the text and the traceback inside."""
    handler = lines_to(pipe[1], LogLines)
    handler.is_json = True
    record = logging.LogRecord("caxton.guest", logging.WARNING, "x", 1, "a\n%s", ("b\u202e",), None)
    record.trace_id = "f" * 32
    handler.emit(record)
    try:
        {}["played"]
    except KeyError:
        handler.emit(logging.LogRecord("caxton", logging.ERROR, "x", 1, "failed", (), sys.exc_info()))
    first, second = (json.loads(line) for line in os.read(pipe[0], 65_536).decode().splitlines())
    assert (first["level"], first["logger"], first["event"]) == ("warning", "caxton.guest", "a\\nb\\u202e")
    assert (first["trace_id"], first["pid"]) == ("f" * 32, os.getpid())
    assert datetime.fromisoformat(first["timestamp"]).tzinfo is not None
    assert "KeyError: 'played'" in second["exception"]
    assert "trace_id" not in second


@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.parametrize(
    "text", ["x" * 4_096, "\0" * 4_096, "😀" * 4_096, '"' * 40_000, "x" * (MOST_OF_LINE - 10), "x"]
)
def test_a_record_is_written_at_once(pipe, lines_to, monkeypatch, text, is_json):
    """No other process's line comes into the middle of it, whatever is in it: it is cut to what a pipe takes whole."""
    writes = []
    monkeypatch.setattr("caxton.lines.os.write", lambda _, given: writes.append(bytes(given)) or len(given))
    handler = lines_to(pipe[1], LogLines)
    handler.is_json = is_json
    handler.emit(logging.LogRecord("caxton.x", logging.INFO, "", 1, "%s", (text,), None))
    failed = (ValueError, ValueError("y" * 9_000 + "the end"), None)
    handler.emit(logging.LogRecord("caxton.x", logging.INFO, "", 1, "failed", (), failed))

    assert all(given.count(b"\n") == 1 and given.endswith(b"\n") and len(given) <= select.PIPE_BUF for given in writes)
    assert (" … (cut)" in writes[0].decode()) is (len(text) > MOST_OF_LINE - 10 or (is_json and len(text) > 1))
    if is_json:
        first, second = (json.loads(given) for given in writes)
        assert first["event"][:1] in {"x", "\\", "😀", '"'}
        assert second["exception"].endswith("the end")


@pytest.mark.parametrize("ends", ["raise {}", "t = threading.Thread(target=fail); t.start(); t.join()"])
def test_the_error_that_ends_a_process_is_in_its_log(ends):
    """What nobody foresaw is a record like others: printable, with its traceback indented below it."""
    error = "ValueError('bad\\x1b[31m\\nforged')"
    script = f"""
import logging, threading
from caxton.lines import log_to
log_to(2, logging.INFO)
def fail():
    raise {error}
{ends.format(error)}
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)

    head, *traced = done.stderr.splitlines()
    assert head == "caxton: an error that nobody foresaw"
    assert traced[0] == "    Traceback (most recent call last):"
    assert traced[-2:] == ["    ValueError: bad\\x1b[31m", "    forged"]
