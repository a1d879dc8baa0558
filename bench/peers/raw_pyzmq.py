"""Raw pyzmq: PUSH and PULL over unix sockets, msgspec, and no runtime: no sandbox, no agents, no accounts, no credit.

The message has as many fields as any runtime needs: who, to whom, what it answers, when, and how urgent.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import msgspec
import zmq

from bench.load.closed_loop import BATCH
from bench.peers.form import BATCHED, FRAMES_OF_256, MANY, ONE_BY_ONE, Form, alone, arguments, check, report

_REQUESTS, _ANSWERS = "requests", "answers"
_TIMEOUT_MS = 30_000


class Request(msgspec.Struct, array_like=True, gc=False):
    """One message, as it travels."""

    id: bytes
    performative: int
    sender: int
    receiver: int
    content: bytes
    reply_with: bytes | None
    in_reply_to: bytes | None
    made_ms: int
    level: int


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[Request]).decode


@contextmanager
def _sockets(folder: str, reads: str, writes: str) -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    """Open the PULL that `reads` and the PUSH that `writes`."""
    with zmq.Context() as context, closing(context.socket(zmq.PULL)) as pull, closing(context.socket(zmq.PUSH)) as push:
        pull.rcvtimeo = push.sndtimeo = _TIMEOUT_MS
        pull.linger = push.linger = 0
        pull.rcvhwm = push.sndhwm = 0  # the client bounds what is under way: a full queue would block both ends
        pull.bind(f"ipc://{folder}/{reads}")
        push.connect(f"ipc://{folder}/{writes}")
        yield pull, push


def serve(folder: str) -> None:
    """Answer every message of every frame with what was in it, frame by frame, until the process is ended."""
    with _sockets(folder, _REQUESTS, _ANSWERS) as (pull, push):
        while True:
            messages = decode(pull.recv())
            for message in messages:
                message.sender, message.receiver = message.receiver, message.sender
                message.in_reply_to, message.reply_with = message.reply_with, None
            push.send(encode(messages))


class Line:
    """The client's side of both sockets."""

    def __init__(self, pull: zmq.Socket[bytes], push: zmq.Socket[bytes], content: bytes) -> None:
        self._pull = pull
        self._push = push
        self._content = content
        self._sent = 0

    def ask(self) -> bytes:
        """Send one message and return the content of its answer."""
        self._send(1)
        (answer,) = decode(self._pull.recv())
        return answer.content

    def in_frames_of(self, size: int, under_way: int, seconds: float) -> float:
        """Keep so many messages under way in frames of `size`, and return round trips a second."""
        frames, answered = under_way // size, 0
        for _ in range(frames):
            self._send(size)
        began_s = time.perf_counter()
        while (elapsed_s := time.perf_counter() - began_s) < seconds:
            answered += self._receive()
            self._send(size)
        for _ in range(frames):
            self._receive()
        return answered / elapsed_s

    def _send(self, size: int) -> None:
        content, first = self._content, self._sent
        self._sent += size
        ids = [number.to_bytes(16) for number in range(first, first + size)]
        self._push.send(encode([Request(each, 1, 1, 2, content, each, None, 0, 5) for each in ids]))

    def _receive(self) -> int:
        content = self._content
        messages = decode(self._pull.recv())
        for message in messages:
            check(message.content, content)
        return len(messages)


def main() -> None:
    """Start the process that answers, and measure it; with `serve FOLDER`, be that process."""
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
        return
    content, seconds = arguments()
    with tempfile.TemporaryDirectory() as folder, _sockets(folder, _ANSWERS, _REQUESTS) as (pull, push):
        server = subprocess.Popen([sys.executable, "-m", "bench.peers.raw_pyzmq", "serve", folder])
        with server:
            try:
                report(zmq.__version__, 2, _forms(Line(pull, push, content), content), seconds)
            finally:
                server.kill()


def _forms(line: Line, content: bytes) -> list[Form]:
    return [
        Form(
            ONE_BY_ONE,
            lambda under_way, some_s: line.in_frames_of(1, under_way, some_s),
            MANY,
            lambda some_s: alone(line.ask, content, some_s),
            note="PUSH/PULL over ipc, msgspec; no runtime, no sandbox",
        ),
        Form(
            BATCHED,
            lambda under_way, some_s: line.in_frames_of(BATCH, under_way, some_s),
            FRAMES_OF_256,
            note="the same in frames of 256",
        ),
    ]


if __name__ == "__main__":
    main()
