"""A collector that goes on answering, in whatever way, holds up one request, and not for long, and fills no memory."""

import functools
import socket
import threading
from contextlib import suppress

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from caxton.telemetry import collector_line
from caxton.telemetry.collector_line import MOST_ANSWER, BoundedExporter
from caxton.telemetry.exported import NOT_TAKEN, TRACES, Exported
from caxton.telemetry.sender import Sender

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"
HOLD_S = 20.0


class Collector:
    """A socket that answers each request with a head, and then with the same bytes until nobody reads them any more."""

    def __init__(self):
        self.head, self.again, self.written = OK % 0, b"", 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1/traces"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while not self._over.is_set():
            with suppress(OSError):
                connection, _ = self._socket.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection):
        connection.recv(1 << 20)
        connection.sendall(self.head)
        while self.again and not self._over.wait(0.01 if len(self.again) < 10 else 0):
            connection.sendall(self.again)
            self.written += len(self.again)

    def close(self):
        self._over.set()
        with suppress(OSError):
            socket.create_connection(self._socket.getsockname()).close()
        self._thread.join(HOLD_S)
        self._socket.close()
        assert not self._thread.is_alive()


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def exporter(collector, monkeypatch):
    """OpenTelemetry's, which tries again for two seconds, and is hung up on after one."""
    monkeypatch.setattr(collector_line, "LONGEST_S", 1.0)
    made = BoundedExporter(functools.partial(OTLPSpanExporter, endpoint=collector.url, timeout=2.0))
    yield made
    made.shutdown()


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED, b"10000\r\n" + bytes(65_536) + b"\r\n"),
        (NO_LENGTH, bytes(65_536)),
        (OK % 10, b""),
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n\x1f\r\n"),
    ],
    ids=["body trickles", "body without end", "no length", "cut", "silent", "gzip trickles"],
)
def test_an_answer_without_end_is_a_failure(collector, exporter, head, again):
    """Little of it is read, and the next request goes to its end when the collector is sound again."""
    collector.head, collector.again = head, again
    assert exporter.export([]) is SpanExportResult.FAILURE
    assert collector.written < 64 << 20
    collector.head, collector.again = OK % 0, b""

    assert exporter.export([]) is SpanExportResult.SUCCESS


@pytest.mark.parametrize("again", [b"x", b"X: y\r\n"], ids=["a header", "headers"])
def test_a_head_without_end_is_cut(collector, exporter, again):
    """It had said that all is well, and that counts; the next request is not held up by it."""
    collector.head, collector.again = b"HTTP/1.1 200 OK\r\nX: ", again
    exporter.export([])
    collector.head, collector.again = OK % 0, b""

    assert exporter.export([]) is SpanExportResult.SUCCESS


@pytest.mark.parametrize(("said", "rejected"), [(b"\x0a\x02\x08\x05", 5), (b"", 0), (b"\x0a\x02\x08", 0), (b"{}", 0)])
def test_what_a_collector_rejects_is_known(collector, exporter, said, rejected):
    """It takes the request, and says in OTLP's own form how much of it it does not keep; all else counts as nothing."""
    collector.head = OK % len(said) + said

    assert exporter.export([]) is SpanExportResult.SUCCESS
    assert exporter.rejected == rejected


async def test_what_is_rejected_is_dropped(collector, exporter, caplog):
    """It is counted and logged once, and never counts as exported; no collector rejects more than it was sent."""
    said, exported = b"\x0a\x02\x08\x05", Exported()
    collector.head = OK % len(said) + said
    sender = Sender(TRACES, exporter, exported)
    await sender.send(list, 7)
    await sender.send(list, 3)

    assert (exported.taken[TRACES], exported.dropped[TRACES, NOT_TAKEN]) == (2, 8)
    assert [record.message for record in caplog.records] == [
        "traces are not exported: the collector does not take them"
    ]


@pytest.mark.parametrize(("size", "is_taken"), [(MOST_ANSWER, True), (MOST_ANSWER + 1, False)])
def test_an_answer_has_a_bound(collector, exporter, size, is_taken):
    """Exactly so many bytes are an answer, and one more is too many."""
    collector.head = OK % size + bytes(size)

    assert (exporter.export([]) is SpanExportResult.SUCCESS) is is_taken
