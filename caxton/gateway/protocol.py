"""HTTP/1.1 as uvicorn speaks it, within limits: connections, the length of a head, and the time for it."""

from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from caxton.gateway.counts import Counts
from caxton.gateway.limits import CLOSE_TIMEOUT_S, HEAD_TIMEOUT_S, MAX_CONNECTIONS, MAX_HEAD_BYTES
from caxton.gateway.problem import MEDIA_TYPE, Problem


def bounded(counts: Counts, most: int) -> "type[BoundedProtocol]":
    """Return what speaks at one port, where there may be so many connections."""
    return type("PortProtocol", (BoundedProtocol,), {"counts": counts, "most": most})


class BoundedProtocol(HttpToolsProtocol):
    """One connection. counts, most: of all of them at one port, and how many there may be; see `bounded`."""

    counts = Counts()
    most = MAX_CONNECTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In the head of a request, or before the first byte of one: so many bytes of it, since then.
        self._in_head = True
        self._head_bytes = 0
        self._head_since_s = self.loop.time()
        self._closing_since_s: float | None = None
        self._refused = False
        self._is_too_long = False

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self.counts.connections = len(self.connections)
        if len(self.connections) > self.most:
            self._refused = True
            self.counts.refused["too many connections"] += 1
            self._end(Problem.told(503, f"there are {self.most} connections, as many as there may be"))

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection has ended."""
        super().connection_lost(exc)
        self.counts.connections = len(self.connections)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._too_long()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if not self._in_head:
            self._head_bytes, self._head_since_s, self._in_head = 0, self.loop.time(), True

    def on_headers_complete(self) -> None:
        """The head of a request is there."""
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if length > MAX_HEAD_BYTES:
            self._is_too_long = True
            raise HttpParserError
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or has too long a head."""
        if self._is_too_long:
            self._too_long()
        else:
            self.counts.refused["no HTTP"] += 1
            self._end(Problem.told(400, f"what came is no request of HTTP/1.1: {msg}"))

    def look(self, now_s: float) -> None:
        """End what takes too long: a head that does not come, a close that nobody notices."""
        if self.transport is None:
            return
        if self.transport.is_closing():
            if self._closing_since_s is None:
                self._closing_since_s = now_s
            elif now_s - self._closing_since_s > CLOSE_TIMEOUT_S:
                self.counts.cut_off["closes that were not noticed"] += 1
                self.transport.abort()
        elif self._in_head and now_s - self._head_since_s > HEAD_TIMEOUT_S:
            self.counts.cut_off["slow heads"] += 1
            self._end(Problem.told(408, f"the headers did not come within {HEAD_TIMEOUT_S:g} s"))

    def _too_long(self) -> None:
        self.counts.refused["long heads"] += 1
        self._end(Problem.told(431, f"the line and the headers of a request have at most {MAX_HEAD_BYTES} bytes"))

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing is upgraded, and nobody needs to read of it."""

    def _end(self, problem: Problem) -> None:
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.response_started:
            self.transport.abort()  # in the midst of an answer nothing else can be said
            return
        body = problem.encode()
        head = [
            STATUS_LINE[problem.status],
            b"content-type: " + MEDIA_TYPE.encode() + b"\r\n",
            b"content-length: " + str(len(body)).encode() + b"\r\nconnection: close\r\n\r\n",
        ]
        self.transport.write(b"".join(head) + body)
        self.transport.close()
