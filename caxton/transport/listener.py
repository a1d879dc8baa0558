"""Where connections come in: one listening socket, its lines, and no more of their bytes than are asked for.

What is not asked for stays in the kernel, and then with whoever sends it. A line that says what does not belong here
ends. Every bound is in bytes: a line is kept up to two small frames (128 KiB), and all lines together up to
MOST_LARGE in large ones.
"""

import asyncio
import contextlib
import errno
import os
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll

from caxton.errors import InvalidMessageFormat
from caxton.transport.large_frames import LargeFrames
from caxton.transport.zmtp import SMALL_FRAME, Admit, Incoming, header, opening

# A line's frames in one go, and lines that are read before somebody else has the loop.
_FRAMES_AT_ONCE = 64
_LINES_AT_ONCE = 16
_EVENTS_AT_ONCE = 64
_BACKLOG = 1_024
# Answers that a line, and all lines together, have not read: beyond, who has some unread gets no more.
MOST_UNREAD, MOST_UNREAD_IN_ALL = 1 << 20, 64 << 20
_PEER = struct.Struct("3i")
_GONE = EPOLLHUP | EPOLLERR | EPOLLRDHUP


class Line:
    """One connection. process: who is at its other end, as the kernel says."""

    __slots__ = ("incoming", "is_gone", "number", "process", "socket", "unread", "waits")

    def __init__(self, accepted: socket.socket, number: int, incoming: Incoming) -> None:
        self.socket = accepted
        self.number = number
        self.incoming = incoming
        self.process: int = _PEER.unpack(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[0]
        self.waits = False  # it is among those that may have something to read
        self.is_gone = False  # the other end said its last
        self.unread = bytearray()  # what is said to it and does not fit into the kernel


class Listener:
    """Bound to a name that nobody else has. Frames come with the number of their line.

    most_lines: beyond them, lines end of which no frame was anybody's, those of the process with the most of them
    first. admit: looks at the heads of frames, see `Incoming`. count: called for each line that is ended for what it
    said, or for being one too many. Raises OSError when it cannot be bound.
    """

    def __init__(self, path: Path, kind: bytes, largest: int, most_lines: int) -> None:
        self._kind = kind
        self._largest = largest
        self._most_lines = most_lines
        self.admit: Admit = lambda _head, _size: True
        self.count: Callable[[], object] = lambda: None
        self._path = path
        self._lines: dict[int, Line] = {}  # by descriptor
        self._numbers: dict[int, Line] = {}
        self._waiting: deque[Line] = deque()
        self._batch: list[bytes] = []  # frames of the line that was read last, in reverse
        self.line = 0  # the number of that line
        self._made = 0
        self._unread = 0  # bytes, of all lines
        self._buffer = memoryview(bytearray(SMALL_FRAME))
        self._large = LargeFrames()
        self._more_to_accept = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: Callable[[], object] = lambda: None
        self._timer: asyncio.TimerHandle | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind(os.fspath(path))
            self._inode = path.lstat().st_ino
            self._socket.listen(_BACKLOG)
            self._poll = epoll()
        except OSError:
            self._socket.close()
            raise
        self._poll.register(self._socket, EPOLLIN | EPOLLET)

    def receive(self) -> bytes | None:
        """Return the next frame, or None when there is none now; `line` is whose it is."""
        if self._batch or self._fill():
            return self._batch.pop()
        return None

    def watch(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], object]) -> None:
        """Call `wake` when there are frames; it must receive until None, or come back by itself."""
        self._loop, self._wake = loop, wake
        loop.add_reader(self._poll.fileno(), self._readable)
        loop.call_soon(wake)

    def process_of(self, number: int) -> int:
        """Return the process at the other end of a line, 0 when it is gone."""
        line = self._numbers.get(number)
        return 0 if line is None else line.process

    def say(self, number: int, frame: bytes | bytearray) -> bool:
        """Say something to a line; False when it is gone, or has not read what was said before."""
        line = self._numbers.get(number)
        if line is None or (line.unread and self._reads_too_little(line, len(frame))):
            return False
        self._leave_unread(line, header(len(frame)) + frame)
        self._send(line)
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Listen no longer. What is said and not read is given `linger_ms` to leave. Closing twice is fine."""
        if self._poll.closed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._poll.fileno())
        end_s = time.monotonic() + linger_ms / 1_000
        for line in [line for line in self._lines.values() if line.unread]:
            with contextlib.suppress(OSError):
                line.socket.settimeout(max(0.0, end_s - time.monotonic()))
                line.socket.sendall(line.unread)
        with contextlib.suppress(OSError):
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()
        self._poll.close()
        self._socket.close()
        for line in self._lines.values():
            line.socket.close()
        self._lines.clear()
        self._numbers.clear()
        self._waiting.clear()
        self._batch.clear()

    def _readable(self) -> None:
        if self._poll.closed:
            return
        self._look()
        if self._batch or self._fill():
            self._wake()

    def _fill(self) -> bool:
        """Read lines, each in its turn, until there is a frame; False when there is none now."""
        if self._poll.closed:
            return False
        for _ in range(_LINES_AT_ONCE):
            if not self._waiting and not self._look():
                return False
            line = self._waiting.popleft()
            line.waits = False
            frames = self._read(line)
            if frames:
                frames.reverse()
                self._batch, self.line = frames, line.number
                return True
        if self._loop is not None:  # lines that say much and no frame must not have the loop for themselves
            self._loop.call_soon(self._readable)
        return False

    def _look(self) -> bool:
        """Find out which lines may be read now; accept those that come."""
        for descriptor, event in self._poll.poll(0, _EVENTS_AT_ONCE):
            line = self._lines.get(descriptor)
            if line is None:
                self._more_to_accept = descriptor == self._socket.fileno() or self._more_to_accept
                continue
            if event & EPOLLOUT and line.unread:
                self._send(line)
            line.is_gone = line.is_gone or bool(event & _GONE)
            self._let_wait(line)
        if self._more_to_accept:
            self._accept()
        return bool(self._waiting)

    def _let_wait(self, line: Line) -> None:
        if not line.waits:
            line.waits = True
            self._waiting.append(line)

    def _let_go_on(self, numbers: list[int]) -> None:
        for number in numbers:
            self._let_wait(self._numbers[number])

    def _read(self, line: Line) -> list[bytes]:
        """Return a line's next frames. It is among the waiting again afterwards if there may be more."""
        if line.socket.fileno() < 0 or self._large.is_parked(line.number):
            return []
        incoming, dry = line.incoming, False
        try:
            frames = incoming.frames(b"", _FRAMES_AT_ONCE) if len(incoming) and not incoming.wanted else []
            if not frames:
                count = line.socket.recv_into(self._buffer)
                if not count:
                    self._end(line)
                    return []
                frames = incoming.frames(self._buffer[:count], _FRAMES_AT_ONCE)
                dry = count < SMALL_FRAME and not line.is_gone
        except BlockingIOError:
            self._settle(line, begun=False, dry=True)
            return []
        except InvalidMessageFormat:
            self.count()
            self._end(line)
            return []
        except OSError:
            self._end(line)
            return []
        may_go_on = self._settle(line, begun=bool(frames), dry=dry)
        if may_go_on and (not dry or len(frames) == _FRAMES_AT_ONCE):
            self._let_wait(line)
        return frames

    def _settle(self, line: Line, *, begun: bool, dry: bool) -> bool:
        """Note what large frame a line is about; False when it has to wait for room.

        begun: whatever it is about has begun just now. dry: there is no more to read.
        """
        if not line.incoming.wanted and not self._large:
            return True
        if begun:
            self._let_go_on(self._large.forget(line.number))
        now_s = time.monotonic()
        self._let_go_on(self._large.settle(line.number, line.process, line.incoming.wanted, now_s, dry=dry))
        if not self._large.parked:
            return True
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(1.0, self._end_slow)
        return not self._large.is_parked(line.number)

    def _end_slow(self) -> None:
        """End the lines that keep others waiting and say nothing; look again as long as anybody waits."""
        self._timer = None
        for number in self._large.slow(time.monotonic()):
            self.count()
            self._end(self._numbers[number])
        if self._large.parked and self._loop is not None:
            self._timer = self._loop.call_later(1.0, self._end_slow)
        self._readable()

    def _accept(self) -> None:
        for _ in range(_EVENTS_AT_ONCE):
            try:
                accepted, _address = self._socket.accept()
            except BlockingIOError:
                self._more_to_accept = False
                return
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                    self._more_to_accept = self._end_newest()
                    return
                continue  # it is gone again
            accepted.settimeout(0.0)
            self._made += 1
            line = Line(accepted, self._made, Incoming(self._largest, self._is_admitted))
            self._lines[accepted.fileno()] = self._numbers[line.number] = line
            self._poll.register(accepted, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
            self._leave_unread(line, opening(self._kind))
            self._send(line)
            self._let_wait(line)  # it may have said something before it was accepted
            if len(self._lines) > self._most_lines:
                self._end_newest()

    def _is_admitted(self, head: bytes, size: int) -> bool:
        return self.admit(head, size)

    def _end_newest(self) -> bool:
        """End a line of which nobody knows whose it is: of the process with the most of them, the newest."""
        unknown = [line for line in self._lines.values() if not line.incoming.vouched]
        if not unknown:
            return False
        of_process = Counter(line.process for line in unknown)
        most, _count = of_process.most_common(1)[0]
        self.count()
        self._end(max((line for line in unknown if line.process == most), key=lambda line: line.number))
        return True

    def _reads_too_little(self, line: Line, more: int) -> bool:
        return len(line.unread) + more > MOST_UNREAD or self._unread + more > MOST_UNREAD_IN_ALL

    def _leave_unread(self, line: Line, said: bytes | bytearray) -> None:
        line.unread += said
        self._unread += len(said)

    def _read_so_far(self, line: Line, count: int) -> None:
        del line.unread[:count]
        self._unread -= count

    def _send(self, line: Line) -> None:
        try:
            sent = line.socket.send(line.unread)
        except BlockingIOError:
            return
        except OSError:
            self._read_so_far(line, len(line.unread))
            line.is_gone = True
            self._let_wait(line)  # to be ended where lines are read
            return
        self._read_so_far(line, sent)

    def _end(self, line: Line) -> None:
        if line.socket.fileno() < 0:
            return
        self._read_so_far(line, len(line.unread))
        del self._lines[line.socket.fileno()]
        del self._numbers[line.number]
        self._poll.unregister(line.socket)
        line.socket.close()
        self._let_go_on(self._large.forget(line.number))
