"""Calls that wait for news: told, too late, ended, and bounded."""

import asyncio

import pytest

from caxton.errors import ResourceExhausted
from workers.watching import waits as room
from workers.watching.waits import Waits

FOR_EVER = 1e9


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def begun(waits, one_turn_of_the_loop):
    """Lets a call wait, in a task."""

    async def begin(group, session=1, has_news=lambda: False):
        task = group.create_task(waits.wait(session, "k", FOR_EVER, has_news))
        await one_turn_of_the_loop()
        return task

    return begin


async def test_it_goes_on_when_there_is_news(waits, begun, one_turn_of_the_loop):
    """Who is told looks, and waits on where it was for others; nothing is left of it afterwards."""
    news = []
    async with asyncio.TaskGroup() as group:
        task = await begun(group, has_news=lambda: news)
        waits.tell("other")
        waits.tell("k")
        for _ in range(5):
            await one_turn_of_the_loop()
        assert not task.done()
        assert len(waits) == 1
        news.append("something")
        waits.tell("k")
    assert len(waits) == 0


async def test_it_goes_on_when_its_time_is_over(waits):
    """Without news."""
    await waits.wait(1, "k", asyncio.get_running_loop().time(), lambda: False)
    assert len(waits) == 0


async def test_it_ends_with_its_session_and_with_the_worker(waits, begun):
    """Nobody else's does; and once the worker ends nobody begins to wait."""
    async with asyncio.TaskGroup() as group:
        own = await begun(group, session=1)
        other = await begun(group, session=2)
        waits.end(1)
        await own
        assert not other.done()
        waits.close()
        await other
        await waits.wait(3, "k", FOR_EVER, lambda: False)


async def test_a_call_that_is_cancelled_waits_no_more(waits, begun):
    """Whoever comes after it has its place."""
    async with asyncio.TaskGroup() as group:
        task = await begun(group)
        task.cancel()
    assert len(waits) == 0


async def test_so_many_wait_at_a_time(waits, begun, monkeypatch, one_turn_of_the_loop):
    """Of one client, and of all; who is refused may come again when somebody has gone."""
    monkeypatch.setattr(room, "MOST_WAITING", 3)
    monkeypatch.setattr(room, "MOST_WAITING_OF_ONE", 2)
    async with asyncio.TaskGroup() as group:
        for session in (1, 1, 2):
            await begun(group, session=session)
        of_all = await asyncio.gather(waits.wait(3, "k", 0, lambda: False), return_exceptions=True)
        waits.end(2)
        while len(waits) > 2:
            await one_turn_of_the_loop()
        of_one = await asyncio.gather(waits.wait(1, "k", 0, lambda: False), return_exceptions=True)
        await begun(group, session=3)
        waits.close()

    assert [type(error) for error in of_all + of_one] == [ResourceExhausted, ResourceExhausted]
    assert [error.limit for error in of_all + of_one] == [3, 2]
