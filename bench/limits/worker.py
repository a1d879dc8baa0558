"""The worker process of a bare loop: frames come, are answered as its stage says, and go back."""

import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import zmq

from bench.limits.committer import Committer
from bench.limits.guests import answering
from bench.limits.message import decode, encode

READY = b"ready"
# Whoever hears nothing for so long is alone.
TIMEOUT_MS = 60_000
# Frames that are taken before what is safe meanwhile is sent.
_MOST_TAKEN = 8
Answer = Callable[[bytes], bytes]


class Stage(StrEnum):
    """What becomes of a frame; each stage does all that the one before it does.

    frames: it is sent back as it is. messages: decoded, each message answered, encoded. sandbox: the answers come from
    guests. commit: they are on disk before they go back.
    """

    FRAMES = "frames"
    MESSAGES = "messages"
    SANDBOX = "sandbox"
    COMMIT = "commit"


@dataclass(frozen=True)
class Setting:
    """One bare loop. folder: for its sockets and files. window: frames of 256 under way to each worker."""

    stage: Stage
    folder: Path
    wasm: Path
    workers: int
    agents: int
    payload: int
    seconds: float
    window: int

    def endpoint(self, name: object) -> str:
        """Return the address of the inlet of a worker, by its number, or of the `client`."""
        return f"ipc://{self.folder}/{name}"

    def agents_of(self, worker: int) -> range:
        """Return the agents that a worker has."""
        return range(worker, self.agents, self.workers)


def run(setting: Setting, worker: int) -> None:
    """Answer until the process is ended from outside, or nothing comes for a minute."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the client decides
    context = zmq.Context()
    inlet, outlet = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    inlet.rcvtimeo = TIMEOUT_MS
    inlet.bind(setting.endpoint(worker))
    outlet.connect(setting.endpoint("client"))
    answer = _answer(setting, worker)
    committer = Committer(setting.folder / f"{worker}.db", context) if setting.stage is Stage.COMMIT else None
    outlet.send(READY)
    with contextlib.suppress(zmq.Again):
        if committer is None:
            _answer_at_once(inlet, outlet, answer)
        else:
            _answer_durably(inlet, outlet, answer, committer)


def _answer(setting: Setting, worker: int) -> Answer:
    if setting.stage is Stage.FRAMES:
        return lambda frame: frame
    if setting.stage is Stage.MESSAGES:
        return _answer_messages
    return answering(setting.wasm, setting.agents_of(worker))


def _answer_messages(frame: bytes) -> bytes:
    for message in (messages := decode(frame)):
        message.sender, message.receiver = message.receiver, message.sender
        message.in_reply_to, message.reply_with = message.reply_with, None
    return encode(messages)


def _answer_at_once(inlet: zmq.Socket[bytes], outlet: zmq.Socket[bytes], answer: Answer) -> NoReturn:
    receive, send = inlet.recv, outlet.send
    while True:
        send(answer(receive()))


def _answer_durably(inlet: zmq.Socket[bytes], outlet: zmq.Socket[bytes], answer: Answer, committer: Committer) -> None:
    """Answer while a commit is under way; its frames are sent after it, and those made meanwhile are the next."""
    number = 0
    gathered: list[tuple[int, bytes]] = []
    committing: list[tuple[int, bytes]] = []
    poller = zmq.Poller()
    for socket in (inlet, committer.done):
        poller.register(socket, zmq.POLLIN)
    while ready := dict(poller.poll(TIMEOUT_MS)):
        if committer.done in ready:
            committer.done.recv()
            for _, frame in committing:
                outlet.send(frame)
            committing = []
        taken = _take(inlet) if inlet in ready else []
        for frame in taken:
            number += 1
            gathered.append((number, answer(frame)))
        if gathered and not committing:
            committing, gathered = gathered, []
            committer.commit(committing)


def _take(inlet: zmq.Socket[bytes]) -> list[bytes]:
    frames: list[bytes] = []
    while len(frames) < _MOST_TAKEN:
        try:
            frames.append(inlet.recv(zmq.NOBLOCK))
        except zmq.Again:
            break
    return frames
