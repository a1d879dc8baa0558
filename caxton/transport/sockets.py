"""The only door to ZeroMQ: inlets that are bound, outlets that are connected, and the supervisor's call sockets.

Nothing here waits. The descriptor of a socket is edge-triggered: after a wake-up, receive until None comes.
"""

import asyncio
import errno
import resource
from collections.abc import Callable
from typing import TypeAlias

import zmq

from caxton.errors import ResourceExhausted, StorageError
from caxton.transport.descriptors import MAX_SESSIONS

# As plain numbers: an enum in every call costs a microsecond.
_NOWAIT, _EVENTS, _POLLIN = int(zmq.NOBLOCK), int(zmq.EVENTS), int(zmq.POLLIN)
Context: TypeAlias = "zmq.Context[zmq.Socket[bytes]]"

# Above what credit ever lets stand in a socket: a frame that meets them is counted as unsent.
_SEND_MARK = 65_536
_RECEIVE_MARK = 4_096
MAX_SOCKET_FRAME = 16 << 20
# Two for each session, and room for workers; ZeroMQ's own limit is 1,023.
_MAX_SOCKETS = 4 * MAX_SESSIONS


class Inlet:
    """A bound PULL socket: where a peer takes frames. Whoever binds it owns it and closes it.

    Raises StorageError when its place in the file system cannot be had.
    """

    def __init__(self, context: Context, endpoint: str) -> None:
        self._socket = _socket(context, zmq.PULL)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._socket.close(linger=0)
            raise StorageError(endpoint, f"it cannot be bound: {error}") from error
        self._receive = self._socket.recv
        self._look = self._socket.getsockopt
        self._watched: asyncio.AbstractEventLoop | None = None

    def receive(self) -> bytes | None:
        """Return the next frame, or None when there is none now."""
        if not int(self._look(_EVENTS)) & _POLLIN:  # a third of what the exception costs that would say it
            return None
        try:
            return self._receive(_NOWAIT)
        except zmq.Again:
            return None

    def watch(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], object]) -> None:
        """Call `wake` when frames may have arrived; it must receive until None, or come back by itself."""
        loop.add_reader(self._socket.fileno(), wake)
        self._watched = loop
        loop.call_soon(wake)

    def close(self) -> None:
        """Stop listening. Closing twice is fine."""
        if self._watched is not None:
            _unwatch(self._watched, self._socket)
            self._watched = None
        self._socket.close(linger=0)


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
    """The supervisor's ROUTER socket: calls come with the caller's address, answers go back to it."""

    def __init__(self, context: Context, endpoint: str) -> None:
        self._socket = _socket(context, zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # or an answer to nobody would count as sent
        self._socket.bind(endpoint)
        self._loop: asyncio.AbstractEventLoop | None = None

    def receive(self) -> tuple[bytes, bytes] | None:
        """Return (caller, frame), or None when there is none now. What is not two parts is dropped by the codec."""
        try:
            parts = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        return parts[0], parts[1] if len(parts) == 2 else b""  # noqa: PLR2004 (caller and frame)

    def answer(self, caller: bytes, frame: bytes | bytearray) -> bool:
        """Send an answer; False when the caller is gone or takes nothing."""
        try:
            self._socket.send_multipart([caller, frame], zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def watch(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], object]) -> None:
        """Call `wake` when calls may have arrived; it must receive until None after every wake-up and every answer."""
        loop.add_reader(self._socket.fileno(), wake)
        self._loop = loop
        loop.call_soon(wake)

    def close(self, linger_ms: int = 0) -> None:
        """Stop listening. Closing twice is fine."""
        if self._loop is not None:
            _unwatch(self._loop, self._socket)
            self._loop = None
        self._socket.close(linger=linger_ms)


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


def _socket(context: Context, kind: int) -> zmq.Socket[bytes]:
    try:
        socket = context.socket(kind)
    except zmq.ZMQError as error:
        if error.errno not in {errno.EMFILE, errno.ENFILE}:
            raise
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise ResourceExhausted("open files of this process (ulimit -n)", limit) from None
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_SOCKET_FRAME)
    socket.setsockopt(zmq.SNDHWM, _SEND_MARK)
    socket.setsockopt(zmq.RCVHWM, _RECEIVE_MARK)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    return socket


def _unwatch(loop: asyncio.AbstractEventLoop, socket: zmq.Socket[bytes]) -> None:
    if not loop.is_closed():  # one that is watches nothing any more, and may say so by an error
        loop.remove_reader(socket.fileno())
