import asyncio
import json
from contextlib import aclosing, asynccontextmanager

import pytest

from caxton.errors import AgentNotFound, TokenRefused
from caxton.gateway.streaming import BEAT, event, events_of


async def found(*ones):
    """Yield these, one by one; an error is raised, and None never comes."""
    for one in ones:
        if one is None:
            await asyncio.get_running_loop().create_future()
        if isinstance(one, Exception):
            raise one
        yield one


def encode(one):
    return event("one", json.dumps(one).encode())


async def read(stream, check=lambda: None, beat_s=30.0):
    return [part async for part in events_of(stream, encode, asyncio.Event(), check, beat_s)]


async def test_what_is_found_is_told_and_then_the_end():
    """After a first sign of life, by which a reader knows that it is heard."""
    assert await read(found(1, 2)) == [
        BEAT,
        b"event: one\ndata: 1\n\n",
        b"event: one\ndata: 2\n\n",
        b"event: end\ndata: {}\n\n",
    ]


async def test_an_error_in_the_midst_is_told_as_a_problem():
    """As the last event."""
    *before, last = await read(found(1, AgentNotFound("echo")))
    name, data = last.decode().splitlines()[:2]

    assert before == [BEAT, encode(1)]
    assert (name, json.loads(data.removeprefix("data: "))["code"]) == ("event: problem", "AgentNotFound")


async def test_when_there_is_nothing_there_are_signs_of_life():
    """Until the gateway stops, which ends it at once."""
    stopping = asyncio.Event()
    stream = events_of(found(None), encode, stopping, lambda: None, 0.0)
    assert [await anext(stream) for _ in range(3)] == [BEAT] * 3
    stopping.set()
    assert [part async for part in stream][-1] == b"event: end\ndata: {}\n\n"


async def test_a_token_that_is_revoked_meanwhile_ends_it():
    """At the next sign of life at the latest, also where there is always something to tell."""

    def revoked():
        raise TokenRefused

    assert b"TokenRefused" in (await read(found(None), revoked, 0.0))[-1]
    assert b"TokenRefused" in (await read(found(*range(100)), revoked, 0.0))[-1]


async def test_a_reader_that_leaves_ends_the_search():
    """Nothing is looked for when nobody reads."""
    ended = asyncio.Event()

    async def search():
        try:
            yield 1
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    stream = events_of(search(), encode, asyncio.Event(), lambda: None, 0.01)
    assert [await anext(stream) for _ in range(3)] == [BEAT, encode(1), BEAT]
    await stream.aclose()
    assert ended.is_set()


@pytest.mark.parametrize("read", [1, 2, 3])
async def test_a_search_that_holds_something_gives_it_back(read):
    """When its reader leaves: at the first sign of life, at what was found, or at a sign of life in between."""
    held = set()

    @asynccontextmanager
    async def holding(what):
        held.add(what)
        try:
            yield
        finally:
            held.remove(what)

    async def search():
        async with holding("a client"):
            yield 1
            await asyncio.get_running_loop().create_future()

    async def told():
        async with holding("a stream"), aclosing(stream):
            async for raw in stream:
                yield raw

    stream = events_of(search(), encode, asyncio.Event(), lambda: None, 0.0 if read > 2 else 30.0)
    reading = told()
    for _ in range(read):
        await anext(reading)
    assert "a stream" in held
    await reading.aclose()
    assert (held, asyncio.all_tasks()) == (set(), {asyncio.current_task()})
