"""Answers leave at the pace of who reads them, within a bound for all, and who does not read is left."""

import asyncio
import socket
from contextlib import closing

import pytest

from caxton.gateway import door as door_module
from caxton.gateway.access.notes import AccessNotes
from caxton.gateway.asgi import Gone
from caxton.gateway.counts import Counts
from caxton.gateway.door import Door
from caxton.gateway.hosts import Hosts
from caxton.gateway.limits import MAX_PART_BYTES
from caxton.testing import eventually

ASKS = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
# More than the buffers of two sockets take.
LARGE = 32 << 20


def large(size=LARGE):
    """Return an application that answers with so many bytes at once."""

    async def answers(scope, receive, send):
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(size)})

    return answers


async def wraps(scope, receive, send):
    """Raise as a framework does what it has from sending."""
    try:
        await large()(scope, receive, send)
    except Gone as error:
        raise ExceptionGroup("of a group of tasks", [error]) from None


async def hides(scope, receive, send):
    """Pass over what sending raises."""
    try:
        await large()(scope, receive, send)
    except Gone:
        return


async def test_all_answers_together_have_a_bound(door, monkeypatch):
    """One that there is no room for is refused before anything of it is sent; small ones are sent."""
    bound, part = 10 * MAX_PART_BYTES, 6 * MAX_PART_BYTES
    monkeypatch.setattr(door_module, "MAX_ANSWERS_BYTES", bound)
    reading = asyncio.Event()
    asked, small, wrapped = door(large(part)), door(large(MAX_PART_BYTES)), door(wraps)
    small.door._counts = wrapped.door._counts = asked.counts

    assert (await door(large(bound)).ask()).status == 200
    assert (await door(large(bound + 1)).ask()).status == 503
    async with asyncio.TaskGroup() as group:
        first = group.create_task(asked.ask(reading=reading))

        async def is_being_sent():
            return asked.counts.answer_bytes == part

        await eventually(is_being_sent)
        refused = [await one.ask() for one in (asked, wrapped)]
        assert [(one.status, one.json["code"]) for one in refused] == [(503, "ResourceExhausted")] * 2
        assert (await small.ask()).status == 200
        reading.set()
    assert first.result().body == bytes(part)
    assert (await asked.ask()).status == 200
    assert asked.counts.refused == {"answers at once": 2}
    assert asked.counts.answer_bytes == 0


@pytest.mark.parametrize("app", [large(), wraps, hides])
async def test_who_reads_nothing_is_cut_off(listening, monkeypatch, caplog, app):
    """Whatever the application makes of it: the connection ends, and nothing is logged as an error."""
    monkeypatch.setattr(door_module, "SEND_TIMEOUT_S", 0.2)
    counts = Counts()
    served = Door(app, Hosts("127.0.0.1", 80, []), lambda *_: None, counts, AccessNotes())
    async with listening(served) as (port, _, server):
        with closing(socket.create_connection(("127.0.0.1", port))) as reader:
            reader.sendall(ASKS * 2)

            async def cut_off():
                return counts.cut_off and not counts.under_way and not server.server_state.connections

            await eventually(cut_off)
    assert counts.cut_off == {"readers that did not read": 1}
    assert counts.answer_bytes == 0
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_answer_is_sent_at_the_pace_of_who_reads_it(listening):
    """Its request is under way until little of it is left, and the server keeps no more than a part or two."""
    counts = Counts()
    served = Door(large(), Hosts("127.0.0.1", 80, []), lambda *_: None, counts, AccessNotes())
    async with listening(served) as (port, _, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(ASKS)

            async def stuck():
                return any(connection.flow.write_paused for connection in server.server_state.connections)

            await eventually(stuck)
            (connection,) = server.server_state.connections
            assert connection.transport.get_write_buffer_size() <= 2 * MAX_PART_BYTES
            assert (counts.under_way, counts.answer_bytes) == (1, LARGE)
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(LARGE) == bytes(LARGE)

            async def over():
                return counts.under_way == 0

            await eventually(over)
    assert counts.answered == {200: 1}
    assert counts.cut_off == {}


async def test_an_answer_has_its_own_time_to_be_read(door):
    """It begins with the answer, and when it is over the reader is left."""
    asked = door(large(), 0.2)

    with pytest.raises(Gone):
        await asked.ask(reading=asyncio.Event())
    assert asked.counts.cut_off == {"readers that did not read": 1}
    assert (asked.counts.under_way, asked.counts.answer_bytes) == (0, 0)
