"""HTTP/1.1 as uvicorn speaks it, within limits: connections, what comes on each of them, and the time for it."""

import asyncio
from collections.abc import Callable
from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from caxton.gateway.asgi import TARGET, Application, Event, Gone, Receive, Scope, Send
from caxton.gateway.counts import Counts
from caxton.gateway.limits import CLOSE_TIMEOUT_S, HEAD_TIMEOUT_S, MAX_CONNECTIONS, MAX_HEAD_BYTES, MAX_PIPELINED
from caxton.gateway.problem import MEDIA_TYPE, Problem


def bounded(counts: Counts, most: int) -> "type[BoundedProtocol]":
    """Return what speaks at one port, where there may be so many connections."""
    return type("PortProtocol", (BoundedProtocol,), {"counts": counts, "most": most})


class _Flow(FlowControl):
    """Reads nothing more while requests wait for those before them: uvicorn goes on after each answer."""

    def __init__(self, transport: Any, waits: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._waits = waits

    def resume_reading(self) -> None:
        """Read on, unless requests wait."""
        if not self._waits():
            super().resume_reading()


class BoundedProtocol(HttpToolsProtocol):
    """One connection. counts, most: of all of them at one port, and how many there may be; see `bounded`."""

    counts = Counts()
    most = MAX_CONNECTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In the head of a request, or before the first byte of one, since then.
        self._in_head = True
        self._head_since_s = self.loop.time()
        # Bytes that came since the last head, or the last part of a body: of a head, of trailers, of nothing.
        self._head_bytes = 0
        # Since when a body goes on whose request is answered.
        self._rest_since_s: float | None = None
        self._closing_since_s: float | None = None
        # What comes is passed over from now on; and whether that is so once the request is answered.
        self._refused = self._ends = False
        self._is_too_long = False
        self._are_too_many = False
        # The request that is being answered, or was last; uvicorn's `cycle` is the one whose head came last.
        self._answering: Any = None
        self._lost = asyncio.Event()
        self._door: Application = self.config.loaded_app
        self.app: Application = self._answer

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self.flow = _Flow(transport, lambda: bool(self.pipeline) and not self._refused)
        self.counts.connections = len(self.connections)
        if len(self.connections) > self.most:
            self._refused = True
            self.counts.refuse("too many connections", "connections", self.most)
            self._end(Problem.told(503, f"there are {self.most} connections, as many as there may be"))

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection has ended: whatever is answered on it is told so, not the last request alone."""
        super().connection_lost(exc)
        self.counts.connections = len(self.connections)
        if self._owes():
            self._answering.disconnected = True
            self._answering.message_event.set()
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if not self._refused:
            self._take(data)

    def on_message_begin(self) -> None:
        """A request begins; one more than may wait for those before it is not taken, nor what follows."""
        if self._owes() and len(self.pipeline) >= MAX_PIPELINED:
            self._are_too_many = True
            raise HttpParserError
        self._unset_keepalive_if_required()
        super().on_message_begin()
        if not self._in_head:
            self._head_bytes, self._head_since_s, self._in_head = 0, self.loop.time(), True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers, which come behind a body, are for nobody."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head of a request is there."""
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if length > MAX_HEAD_BYTES:
            self._is_too_long = True
            raise HttpParserError
        self._in_head, self._head_bytes = False, 0
        if not self.url.startswith(b"/"):
            self.scope[TARGET] = self.url
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body is there."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is there."""
        self._head_bytes = 0
        super().on_message_complete()
        if self._rest_since_s is not None:  # it was answered before, and its clock was stopped by what came since
            self._rest_since_s = None
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """A request is answered: the next one may be, or may come."""
        if self._ends:
            self._close_slowly()
            return
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._owes():
            self.flow.resume_reading()
            return
        self._head_since_s = self.loop.time()
        if self.cycle.more_body:
            self._rest_since_s = self.loop.time()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, has too long a head, or is one too many."""
        if self._are_too_many:
            self.counts.refused["pipelined requests"] += 1
            self._end_behind()
        elif self._is_too_long:
            self._too_long()
        else:
            self.counts.refused["no HTTP"] += 1
            self._end(Problem.told(400, f"what came is no request of HTTP/1.1: {msg}"))

    def look(self, now_s: float) -> None:
        """End what takes too long: a head that does not come, the rest of a body, a close that nobody notices."""
        if self.transport is None:
            return
        if self.transport.is_closing():
            if self._closing_since_s is None:
                self._closing_since_s = now_s
            elif now_s - self._closing_since_s > CLOSE_TIMEOUT_S:
                self.counts.cut_off["closes that were not noticed"] += 1
                self.transport.abort()
        elif self._rest_since_s is not None:
            if now_s - self._rest_since_s > CLOSE_TIMEOUT_S:
                self.counts.cut_off["bodies after their answer"] += 1
                self.transport.close()
        elif self._in_head and not self._owes() and now_s - self._head_since_s > HEAD_TIMEOUT_S:
            self.counts.cut_off["slow heads"] += 1
            self._end(Problem.told(408, f"the headers did not come within {HEAD_TIMEOUT_S:g} s"))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the door answer; a connection whose reader does not read is cut off, with what it has yet to send."""
        cycle = self._answering

        async def send_in_full(event: Event) -> None:
            await send(event)
            if cycle.more_body and not cycle.keep_alive:  # uvicorn would close behind the answer
                cycle.keep_alive = self._ends = True

        try:
            await self._door(scope, receive, send_in_full if cycle.more_body else send)
        except Gone:
            self.transport.abort()
            await self._lost.wait()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _take(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._refused or self.transport.is_closing():
            return
        if self._head_bytes > MAX_HEAD_BYTES:
            self._too_long()
        elif self._is_idle() and self.timeout_keep_alive_task is None:
            # What came is nothing yet, such as empty lines, and yet uvicorn has stopped its clock: it is a slow head.
            self._head_since_s, self._in_head = self.loop.time(), True

    def _owes(self) -> bool:
        """Whether a request is there that is not answered."""
        return self._answering is not None and not self._answering.response_complete

    def _is_idle(self) -> bool:
        """Whether everything is answered, and nothing comes."""
        answered = self._answering is not None and self._answering.response_complete
        return answered and not self._in_head and self._rest_since_s is None

    def _too_long(self) -> None:
        self.counts.refused["long heads"] += 1
        self._end(Problem.told(431, f"the line and the headers of a request have at most {MAX_HEAD_BYTES} bytes"))

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing is upgraded, and nobody needs to read of it."""

    def _end(self, problem: Problem) -> None:
        """Tell what is wrong, where that can be told, and close."""
        if self._owes():
            if not self.cycle.more_body:  # the requests until here are whole, and it would be taken for their answer
                self._end_behind()
                return
            if self.pipeline or self.cycle.response_started:  # in the midst of an answer nothing else can be said
                self.transport.abort()
                return
        elif self._rest_since_s is not None:  # its answer was told
            self.transport.close()
            return
        body = problem.encode()
        head = [
            STATUS_LINE[problem.status],
            b"content-type: " + MEDIA_TYPE.encode() + b"\r\n",
            b"content-length: " + str(len(body)).encode() + b"\r\nconnection: close\r\n\r\n",
        ]
        self.transport.write(b"".join(head) + body)
        if self._refused:  # there are too many connections already
            self.transport.close()
        else:
            self._close_slowly()

    def _close_slowly(self) -> None:
        """Close when the other end does, or after a while; what comes until then is passed over.

        Where something that came is not read, closing resets the connection, and the answer may be lost with it.
        """
        self._refused = True
        self._rest_since_s = self.loop.time()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def _end_behind(self) -> None:
        """Take nothing more, and close behind the last answer that is owed; what comes meanwhile is passed over."""
        self._refused = True
        self.flow.resume_reading()
        self.cycle.keep_alive = False
