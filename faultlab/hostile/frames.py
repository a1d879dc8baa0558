"""Frames that are nearly right, to every socket of a runtime and its clients: they may be counted, and nothing else."""

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import zmq

from caxton.acl.envelope import Envelope
from caxton.agents.limits import Limits
from caxton.client.call_line import ask_soon
from caxton.client.session.session_book import SessionBook
from caxton.errors import CaxtonError
from caxton.testing import ServedRuntime
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.wire.answered import answered
from caxton.wire.calls import Inspect, ListAgents
from caxton.wire.codec import CONTROL, DATA, SUPERVISOR_CALL
from caxton.wire.control import Call, Control, Drain, Heartbeat, Hello, SessionEnded, Topology
from caxton.wire.frames import DataFrame
from caxton.wire.link_state import LinkState, Refusal
from caxton.wire.supervision import (
    AskHealth,
    AskStats,
    OpenSession,
    RestartWorkers,
    SessionOpened,
    StopRuntime,
    SupervisorCall,
    SupervisorRequest,
    UploadModule,
)
from faultlab.dice import dice

T = TypeVar("T")
_TIMEOUT_S, _SEND_TIMEOUT_MS = 30.0, 10_000
# What stands before anything that is decoded: version, source, mark, target. Half of the frames keep it as it is.
_HEAD = 40


async def fuzz(served: ServedRuntime, count: int, seed: int) -> dict[str, int]:
    """Send so many frames to all sockets together; returns how many went to each kind of socket.

    They come from a client that is let in, so half of them bear a mark that is good.
    """
    return await _sent_by_a_session(
        RuntimeDir(served.runtime_dir),
        lambda context, directory, right: _send_all(context, directory, right, count, dice(seed)),
    )


async def flood(directory: RuntimeDir, until_s: float, seed: int) -> dict[str, int]:
    """Send such frames, a thousand to each socket in turn, until that moment of the monotonic clock."""
    sent: Counter[str] = Counter()

    def send(context: "zmq.Context[zmq.Socket[bytes]]", directory: RuntimeDir, right: dict[str, list[bytes]]) -> None:
        chance = dice(seed)
        while time.monotonic() < until_s:
            sent.update(_send_all(context, directory, right, 1_000 * len(_sockets(directory, right)), chance))

    await _sent_by_a_session(directory, send)
    return dict(sent)


async def _sent_by_a_session(
    directory: RuntimeDir,
    send: Callable[["zmq.Context[zmq.Socket[bytes]]", RuntimeDir, dict[str, list[bytes]]], T],
) -> T:
    asked = await ask_soon(directory.path, OpenSession(os.getpid(), "fuzz"), _TIMEOUT_S)
    opened = answered(asked, SessionOpened, "the supervisor")
    book = SessionBook(directory.book(opened.session), opened.session)
    context = zmq.Context()
    try:
        # In a thread, because clients of this process are to read what they are sent.
        return await asyncio.to_thread(send, context, directory, _right_ones(opened))
    finally:
        context.destroy(linger=1_000)
        book.close()


def mutated(frame: bytes, chance: random.Random) -> bytes:
    """Return a frame that differs from a right one in some bytes, in its length, or in being cut or told twice."""
    start = chance.choice((0, min(_HEAD, len(frame) - 1)))
    changed = bytearray(frame)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(start, len(changed)) if len(changed) > start else 0
        way = chance.randrange(4)
        if way == 0:
            changed[place : place + 1] = bytes([chance.randrange(256)])
        elif way == 1:
            del changed[place : place + chance.randint(1, 8)]
        elif way == 2:  # noqa: PLR2004 (one of four ways)
            changed[place:place] = chance.randbytes(chance.randint(1, 8))
        else:
            changed[place:place] = changed[place : place + 32]
    return bytes(changed)


def _send_all(
    context: "zmq.Context[zmq.Socket[bytes]]",
    directory: RuntimeDir,
    right: dict[str, list[bytes]],
    count: int,
    chance: random.Random,
) -> dict[str, int]:
    sockets = _sockets(directory, right)
    sent: dict[str, int] = {}
    for path in sockets:
        kind = path.suffix.removeprefix(".")
        line = context.socket(zmq.DEALER if kind == "calls" else zmq.PUSH)
        line.setsockopt(zmq.SNDTIMEO, _SEND_TIMEOUT_MS)
        line.connect(f"ipc://{path}")
        share = count // len(sockets)
        for _ in range(share):
            frame = mutated(chance.choice(right[kind]), chance)
            if not _is_an_order(frame):
                line.send(frame)
        line.close(linger=_SEND_TIMEOUT_MS)
        sent[_name_of(path)] = sent.get(_name_of(path), 0) + share
    return sent


def _sockets(directory: RuntimeDir, right: dict[str, list[bytes]]) -> list[Path]:
    return sorted(path for path in directory.everything() if path.suffix.removeprefix(".") in right)


def _is_an_order(frame: bytes) -> bool:
    """True for what has become something that a client may ask for: the runtime's end, or an agent's."""
    with contextlib.suppress(CaxtonError):
        return isinstance(SUPERVISOR_CALL.decode(frame).request, StopRuntime | RestartWorkers)
    with contextlib.suppress(CaxtonError):
        control = CONTROL.decode(frame)
        return isinstance(control, Call) and not isinstance(control.request, ListAgents | Inspect)
    return False


def _name_of(path: Path) -> str:
    """Return what a socket is called whoever's it is: worker, session or supervisor, and its kind."""
    owner = {"w": "worker", "s": "session"}.get(path.name.partition("-")[0], "supervisor")
    return f"{owner} {path.suffix.removeprefix('.')}"


def _right_ones(opened: SessionOpened) -> dict[str, list[bytes]]:
    """Return frames that are right, or would be from somebody else, by the kind of socket that takes them."""
    own, mark, worker = opened.session, opened.mark, opened.topology.incarnations[0]
    message = Envelope(bytes(range(16)), 7, own, 1, b"contents", bytes(16), None, bytes(16))
    state = LinkState(own, mark, worker, 0, 1, "", 0, 64, 1 << 20, 0, [Refusal(1, 1, "QueueFull", {"a": 1})], [7], 1, 0)
    controls: Sequence[Control] = (
        state,
        Hello(own, mark, worker, own, 0, 0, 0, answer_wanted=True),
        Call(own, mark, worker, 1, ListAgents("", 10)),
        Call(own, mark, worker, 2, Inspect(1)),
        opened.topology,
        Topology(SUPERVISOR, mark, 1 << 40, opened.topology.table, [worker], ["ready"]),
        SessionEnded(SUPERVISOR, mark, own),
        Drain(SUPERVISOR, mark, 2),
        Heartbeat(worker, mark, 0, ready=True, phase=0, idle=True, counters={"run": 1}),
    )
    calls: Sequence[SupervisorRequest] = (
        AskHealth(),
        AskStats(),
        UploadModule(bytes(32), 8, 0, b"\0asm", "fuzz", Limits()),
    )
    return {
        "data": [
            bytes(DATA.encode(DataFrame(own, mark, worker, lane, 1, resent=False, messages=[message] * n)))
            for lane in (0, 1)
            for n in (1, 3)
        ],
        "control": [bytes(CONTROL.encode(control)) for control in controls],
        "calls": [bytes(SUPERVISOR_CALL.encode(SupervisorCall(n, call))) for n, call in enumerate(calls)],
    }
