"""The line to a collector, which may be anybody's: it has a bounded time to answer, and a bounded answer."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from caxton.telemetry.sender import Exporter

T = TypeVar("T")
# Until a request is over, in all: what OpenTelemetry waits for is each time that something comes.
LONGEST_S = 15.0
# Of an answer, in bytes: it says how much was not taken, and why.
MOST_ANSWER = 64 << 10
_A_READ = 4_096
_LOOK_PERIOD_S = 0.1


class BoundedExporter(Generic[T]):
    """An exporter of OpenTelemetry's, of the kind that `make` makes with a session of requests'.

    A collector that goes on answering is hung up on after 15 seconds, or 64 KiB: its request has failed. rejected: how
    many items of the last batch the collector said that it did not take, though it took the request.
    """

    rejected = 0

    def __init__(self, make: Callable[..., Exporter[T]]) -> None:
        self._connections: WeakSet[HTTPConnection] = WeakSet()
        session = requests.Session()
        session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(self._connections, self._answered))
        self._exporter = make(session=session)

    def export(self, batch: T, /) -> Enum:
        """Export a batch; blocks for 15 seconds at most."""
        self.rejected = 0
        is_over = threading.Event()
        threading.Thread(target=self._watch, args=(is_over,), name="otlp watch", daemon=True).start()
        try:
            return self._exporter.export(batch)
        finally:
            is_over.set()

    def shutdown(self) -> None:
        """Let a waiting export end."""
        self._exporter.shutdown()
        self._hang_up()

    def _answered(self, content: bytes) -> None:
        """Take a note of what a collector says: of each signal in the same form."""
        with suppress(Exception):  # what it says is something else, which does not count
            self.rejected = max(0, ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans)

    def _watch(self, is_over: threading.Event) -> None:
        """Hang up on a request that takes too long, and on what is tried again then."""
        is_late = not is_over.wait(LONGEST_S)
        while is_late and not is_over.wait(_LOOK_PERIOD_S):
            self._hang_up()

    def _hang_up(self) -> None:
        """End what any connection waits for."""
        for connection in list(self._connections):
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):  # type: ignore[misc] # where it lints, it is not installed
    """Makes connections that are known, and reads no more of an answer than is bounded."""

    def __init__(self, known: WeakSet[HTTPConnection], answered: Callable[[bytes], None]) -> None:
        super().__init__()
        self._answered = answered
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": _noted(HTTPConnection, known)}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": _noted(HTTPSConnection, known)}),
        }

    def send(self, request: requests.PreparedRequest, stream: bool = False, **named: Any) -> requests.Response:  # noqa: ARG002, FBT001, FBT002 (as it is overridden)
        """Send a request, and read its answer. Raises ConnectionError for one that is too long."""
        response = super().send(request, stream=True, **named)
        content = b""
        try:
            while len(content) <= MOST_ANSWER and (part := response.raw.read1(_A_READ, decode_content=False)):
                content += part
        except Exception as error:
            response.close()
            raise requests.ConnectionError(f"the collector's answer cannot be read: {error}") from error
        if len(content) > MOST_ANSWER:
            response.close()
            raise requests.ConnectionError(f"the collector's answer has more than {MOST_ANSWER} bytes")
        response.raw.release_conn()
        self._answered(content)
        response._content = content  # noqa: SLF001 (what `requests` does where it reads all of it)
        return response


def _noted(kind: type[HTTPConnection], known: WeakSet[HTTPConnection]) -> type[HTTPConnection]:
    """Return a kind of connection whose own are known as long as they are there."""

    class Noted(kind):  # type: ignore[misc] # a class that is made for each session
        def connect(self) -> None:
            known.add(self)
            super().connect()

    return Noted
