"""Streams give back what they hold as soon as they end, whoever ends them: a reader, the door, a limit."""

import asyncio
import socket
from contextlib import closing

import pytest

from caxton.gateway import door as door_module
from caxton.gateway.access.notes import AccessNotes
from caxton.gateway.asgi import Gone
from caxton.gateway.counts import Counts
from caxton.gateway.door import REQUEST, Door
from caxton.gateway.hosts import Hosts
from caxton.gateway.limits import MAX_PART_BYTES
from caxton.gateway.streaming import BEAT
from caxton.testing import eventually

ASKS = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Streams:
    """Answers with a stream of parts of one size, each as soon as it may; held: what it holds, until its end."""

    def __init__(self, size, parts=1 << 30):
        self.size, self.parts = size, parts
        self.held = 0
        self.began = asyncio.Event()

    async def told(self):
        self.held += 1
        self.began.set()
        try:
            yield BEAT
            for _ in range(self.parts):
                yield bytes(self.size)
            await asyncio.get_running_loop().create_future()
        finally:
            turn = asyncio.Event()  # whatever is given back may take a turn
            asyncio.get_running_loop().call_soon(turn.set)
            await turn.wait()
            self.held -= 1

    async def __call__(self, scope, receive, send):
        from caxton.gateway.live_stream import LiveStream  # noqa: PLC0415 (it needs the extra)

        scope[REQUEST].last()
        await LiveStream(self.told()).to_asgi_response(None, None)(scope, receive, send)


async def test_a_reader_that_is_cut_off_ends_its_stream(listening, monkeypatch):
    """At once, and not when the interpreter comes across it: the request is not over before."""
    monkeypatch.setattr(door_module, "SEND_TIMEOUT_S", 0.2)
    app, counts = Streams(1 << 20), Counts()
    async with listening(Door(app, Hosts("127.0.0.1", 80, []), lambda *_: None, counts, AccessNotes())) as (port, _, _):
        with closing(socket.create_connection(("127.0.0.1", port))) as reader:
            reader.sendall(ASKS)
            await app.began.wait()

            async def cut_off():
                return counts.cut_off and not counts.under_way

            await eventually(cut_off)
            assert app.held == 0


@pytest.mark.parametrize("body", [b"", b"x"])
async def test_a_reader_that_hangs_up_ends_its_stream(door, body):
    """Also one that sent a body, which nobody wants; that is how streams end, and no request that was given up."""
    app, leaving = Streams(1, parts=1), asyncio.Event()
    asked = door(app)
    async with asyncio.TaskGroup() as group:
        group.create_task(asked.ask(body=[body], leaving=leaving))
        await app.began.wait()
        leaving.set()

    assert app.held == 0
    assert (asked.counts.streams, asked.counts.cut_off, asked.counts.hung_up) == (0, {}, 0)


async def test_a_large_event_without_room_ends_its_stream(door, monkeypatch):
    """Streams have no more room than other answers: the next that is told much is left, and small events go on."""
    size = 6 * MAX_PART_BYTES
    monkeypatch.setattr(door_module, "MAX_ANSWERS_BYTES", 10 * MAX_PART_BYTES)
    reading, leaving = asyncio.Event(), asyncio.Event()

    async def answers(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(size)})

    large, small = Streams(size), Streams(MAX_PART_BYTES, parts=1)
    slow, told_much, told_little = door(answers), door(large), door(small)
    told_much.door._counts = told_little.door._counts = slow.counts
    async with asyncio.TaskGroup() as group:
        group.create_task(slow.ask(reading=reading))

        async def is_being_sent():
            return slow.counts.answer_bytes == size

        await eventually(is_being_sent)
        with pytest.raises(Gone):
            await told_much.ask()
        group.create_task(told_little.ask(leaving=leaving))
        await small.began.wait()
        leaving.set()
        reading.set()
    assert slow.counts.cut_off == {"streams without room": 1}
    assert (large.held, small.held, slow.counts.answer_bytes, slow.counts.streams) == (0, 0, 0, 0)
