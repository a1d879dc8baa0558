"""The only door to ZeroMQ: inlets that are bound, outlets that are connected, and the supervisor's call sockets.

Nothing here waits. After a wake-up, receive until None comes: nothing else tells of what is there already. Who connects
is a socket of ZeroMQ; who listens speaks its protocol without it (ADR 17), and reads no more than it was asked for.
"""

import asyncio
import errno
import resource
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import zmq

from caxton.errors import ResourceExhausted, StorageError
from caxton.transport.descriptors import MAX_SESSIONS, MOST_LINES
from caxton.transport.endpoints import IPC
from caxton.transport.listener import Listener
from caxton.transport.zmtp import Admit

ZMQ_VERSION = zmq.zmq_version()
# As a plain number: an enum in every call costs a microsecond.
_NOWAIT = int(zmq.NOBLOCK)
Context: TypeAlias = "zmq.Context[zmq.Socket[bytes]]"

# Above what credit ever lets stand in a socket: a frame that meets them is counted as unsent.
_SEND_MARK = 65_536
_RECEIVE_MARK = 4_096
MAX_SOCKET_FRAME = 16 << 20
# Two for each session, and room for workers; ZeroMQ's own limit is 1,023.
_MAX_SOCKETS = 4 * MAX_SESSIONS
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}


class Inlet:
    """Where a peer takes frames. Whoever binds it owns it and closes it.

    largest: bytes of a frame; a connection that says a larger one ends, and so does one that says a message of several
    parts. Raises StorageError when its place in the file system cannot be had, ResourceExhausted when the process has
    no descriptor left.
    """

    def __init__(self, endpoint: str, largest: int = MAX_SOCKET_FRAME, most_lines: int = MOST_LINES) -> None:
        self._listener = listener = _listen(endpoint, b"PULL", largest, most_lines)
        self.receive = listener.receive
        self.watch = listener.watch
        self.close = listener.close

    def guard(self, admit: Admit, count: Callable[[], object]) -> None:
        """Let `admit` look at heads from now on, and call `count` for each connection that is ended."""
        self._listener.admit, self._listener.count = admit, count


class Outlet:
    """A connected PUSH socket to one inlet of one peer."""

    def __init__(self, context: Context, endpoint: str, most_frames: int = _SEND_MARK) -> None:
        self._socket = _socket(context, zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, most_frames)
        self._socket.connect(endpoint)
        self._send = self._socket.send

    def send(self, frame: bytes | bytearray) -> bool:
        """Hand a frame to the socket; False when it has no room, and the frame stays the caller's."""
        try:
            self._send(frame, _NOWAIT)
        except zmq.Again:
            return False
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Disconnect, giving what was handed over `linger_ms` to leave. Closing twice is fine."""
        self._socket.close(linger=linger_ms)


class Desk:
    """Where the supervisor is called: calls come with the caller's number, answers go back to it."""

    def __init__(self, endpoint: str, largest: int = MAX_SOCKET_FRAME, most_lines: int = MOST_LINES) -> None:
        self._listener = listener = _listen(endpoint, b"ROUTER", largest, most_lines)
        self.answer = listener.say
        self.process_of = listener.process_of
        self.watch = listener.watch
        self.close = listener.close

    def receive(self) -> tuple[int, bytes] | None:
        """Return (caller, frame), or None when there is none now."""
        frame = self._listener.receive()
        return None if frame is None else (self._listener.line, frame)

    def guard(self, admit: Admit, count: Callable[[], object]) -> None:
        """Let `admit` look at heads from now on, and call `count` for each connection that is ended."""
        self._listener.admit, self._listener.count = admit, count


class CallLine:
    """A client's DEALER socket to the supervisor's desk."""

    def __init__(self, context: Context, endpoint: str) -> None:
        self._socket = _socket(context, zmq.DEALER)
        self._socket.connect(endpoint)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: Callable[[], object] | None = None

    def send(self, frame: bytes | bytearray) -> bool:
        """Send a call; False when there is no room. The descriptor is edge-triggered: we look for answers at once."""
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        if self._loop is not None and self._wake is not None:
            self._loop.call_soon(self._wake)
        return True

    def receive(self) -> bytes | None:
        """Return the next answer, or None when there is none now."""
        try:
            return self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def watch(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], object]) -> None:
        """Call `wake` when answers may have arrived; it must receive until None."""
        loop.add_reader(self._socket.fileno(), wake)
        self._loop, self._wake = loop, wake

    def close(self, linger_ms: int = 0) -> None:
        """Hang up, giving what was said `linger_ms` to leave. Closing twice is fine."""
        if self._loop is not None:
            _unwatch(self._loop, self._socket)
            self._loop = self._wake = None
        self._socket.close(linger=linger_ms)


def new_context() -> Context:
    """Return a context of its own, to be given to `end_context` when all its sockets are closed."""
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
    return context


def end_context(context: Context) -> None:
    """Close what is still open, dropping what it holds, and end the context."""
    context.destroy(linger=0)


def _listen(endpoint: str, kind: bytes, largest: int, most_lines: int) -> Listener:
    try:
        return Listener(Path(endpoint.removeprefix(IPC)), kind, largest, most_lines)
    except OSError as error:
        if error.errno in _NO_DESCRIPTOR:
            raise _no_descriptor() from None
        raise StorageError(endpoint, f"it cannot be bound: {error.strerror or error}") from error


def _no_descriptor() -> ResourceExhausted:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ResourceExhausted("open files of this process (ulimit -n)", limit)


def _socket(context: Context, kind: int) -> zmq.Socket[bytes]:
    try:
        socket = context.socket(kind)
    except zmq.ZMQError as error:
        if error.errno not in _NO_DESCRIPTOR:
            raise
        raise _no_descriptor() from None
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_SOCKET_FRAME)
    socket.setsockopt(zmq.SNDHWM, _SEND_MARK)
    socket.setsockopt(zmq.RCVHWM, _RECEIVE_MARK)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    return socket


def _unwatch(loop: asyncio.AbstractEventLoop, socket: zmq.Socket[bytes]) -> None:
    if not loop.is_closed():  # one that is watches nothing any more, and may say so by an error
        loop.remove_reader(socket.fileno())
