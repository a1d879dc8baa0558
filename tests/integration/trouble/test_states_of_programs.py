"""Agents of Python programs that keep a state, through kill -9 of the program and of its worker."""

import asyncio
import os
import signal
import subprocess
import sys

import msgspec
import pytest

import caxton
from caxton.errors import HandlerFailed, ValidationError

WORKERS = 1
# Adds what it is sent to its sum, and dies in the middle of a turn when it is told to.
PROGRAM = """
import asyncio, os, signal, sys
import msgspec
import caxton

class Sum(msgspec.Struct):
    total: int = 0
    turns: int = 0

@caxton.agent("sum", state=Sum)
async def add(message, turn):
    turn.state.total += int(message.content)
    turn.state.turns += 1
    if message.content == b"1000" and turn.delivery_count == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return b"%d" % turn.state.total

async def main():
    async with caxton.connect(sys.argv[1]) as client:
        await client.serve(add, replace=True)

asyncio.run(main())
"""


class Sum(msgspec.Struct):
    total: int = 0
    turns: int = 0


@pytest.fixture
def program(served):
    """Start the program; it is killed at the end."""
    started = []

    def start():
        started.append(subprocess.Popen([sys.executable, "-c", PROGRAM, str(served.runtime_dir)]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


async def test_a_state_outlives_its_program_and_its_worker(client, program):
    """A sum is exact though its program dies in the middle of a turn, and its worker is killed."""

    @caxton.agent("sum", state=Sum)
    async def registered(_):
        """Only to be registered."""

    async with client.host(registered):
        pass
    first = program()
    durable = caxton.DeliveryOptions(reliability="at_least_once")
    receipts = [await client.send("sum", b"%d" % number) for number in (1, 2, 1000, 4)]
    assert len(receipts) == 4
    assert await asyncio.to_thread(first.wait) == -signal.SIGKILL
    program()
    assert (await client.request("sum", b"8", options=durable, timeout_s=60)).content == b"1015"
    os.kill((await client.health()).workers[0].pid, signal.SIGKILL)
    assert (await client.request("sum", b"16", options=durable, timeout_s=60)).content == b"1031"


async def test_a_state_of_any_type(client):
    """A value that is changed or replaced is kept by the type of its decorator; the next block goes on from it."""

    @caxton.agent("notes", state=list[str])
    def note(message, turn):
        if message.content:
            turn.state.append(message.content.decode())
        return "\n".join(turn.state).encode()

    @caxton.agent("count", state=int)
    async def count(message, turn):
        turn.state += 1
        return b"%d" % turn.state

    for expected in (b"a", b"a\nb"):
        async with client.host(note, count):
            assert (await client.request("notes", expected[-1:])).content == expected
            await client.request("count", b"")
    async with client.host(note, count):
        assert (await client.request("notes", b"")).content == b"a\nb"
        assert (await client.request("count", b"")).content == b"3"
    await client.remove("notes")
    async with client.host(note):
        assert (await client.request("notes", b"")).content == b""


async def test_what_cannot_be_kept_fails_by_name(client):
    """A value of another type, or too large a one, is the error of its turn, and the state stays as it was."""

    @caxton.agent("number", state=int)
    async def number(message, turn):
        before, turn.state = (
            turn.state,
            {b"text": "x", b"large": bytes(70_000), b"object": object()}.get(message.content, 7),
        )
        return b"%d" % before

    once = caxton.DeliveryOptions(reliability="at_most_once")
    async with client.host(number):
        assert (await client.request("number", b"set", options=once)).content == b"0"
        for content, says in ((b"text", "cannot be kept as int"), (b"object", "cannot be kept as int")):
            with pytest.raises(HandlerFailed, match=says):
                await client.request("number", content, options=once)
        assert (await client.request("number", b"set", options=once)).content == b"7"
    assert (await client.inspect("number")).state == "detached"


async def test_a_state_is_for_one_call_at_a_time(client):
    """Several calls at once, and batches, have no state between them: refused before anything is attached."""

    async def handler(_):
        """Never called."""

    for options in ({"concurrency": 2}, {"batch": True}):
        with pytest.raises(ValidationError, match="handles one message at a time"):
            client.attach("several", handler, state=True, **options)
