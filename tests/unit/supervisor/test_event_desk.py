"""The last events of a run, and who waits for the next one."""

import asyncio

import pytest
from msgspec.structs import replace

from caxton.errors import ResourceExhausted
from caxton.supervisor.desk.event_desk import (
    LOOKED_AT,
    MOST_EVENT_BYTES,
    MOST_EVENTS,
    MOST_WAITING,
    MOST_WAITING_OF_ONE,
    EventDesk,
)
from caxton.supervisor.events import Event
from caxton.wire.events import MAX_EVENT_PAGE, MAX_EVENT_TEXT, EventView, ReadEvents

WAIT_MS = 10_000


def told(text, **fields):
    """An event of the supervisor's."""
    return Event("worker_died", "warning", text, fields)


async def everything(desk, **asked):
    """Return all that is kept, page by page, and how much was missed."""
    found, missed, request = [], 0, ReadEvents(**asked)
    while True:
        page = await desk.answer(1, request)
        found += page.events
        missed += page.missed
        if not page.more:
            return found, missed
        request = replace(request, run=page.run, after=page.last)


async def test_events_of_all_sources_have_one_order():
    """Each with its number, its run and its shard."""
    desk = EventDesk()
    desk.happened(told("one", shard=3, shards=[0, 1], path=None))
    desk.heard(2, [EventView("agent_paused", "info", "two", 5, {}, None, "a", 7)])
    page = await desk.answer(1, ReadEvents())

    assert [(event.number, event.run, event.shard, event.text) for event in page.events] == [
        (1, desk.run, 3, "one"),
        (2, desk.run, 2, "two"),
    ]
    assert page.events[0].fields == {"shard": 3, "shards": ["0", "1"], "path": None}
    assert page.events[1].cursor == f"{desk.run}-2"
    assert (page.last, page.missed, page.more) == (2, 0, False)


async def test_only_what_is_asked_for_is_told():
    """By kind, agent and moment; what is behind a place; and all of it to who comes from another run."""
    desk = EventDesk()
    desk.happened(told("one"))
    desk.heard(0, [EventView("agent_paused", "info", "two", 5, {}, None, "a", 7)])
    one, two = (await desk.answer(1, ReadEvents())).events

    assert (await everything(desk, kinds=("agent_paused",)))[0] == [two]
    assert (await everything(desk, agent_id=7))[0] == [two]
    assert (await everything(desk, agent_id=8))[0] == []
    assert (await everything(desk, since=6))[0] == [one]
    assert (await everything(desk, run=desk.run, after=1))[0] == [two]
    assert (await everything(desk, run=desk.run - 1, after=1))[0] == [one, two]


async def test_so_many_are_kept_and_what_is_missing_is_counted():
    """To who reads from where they were; whoever begins is told what there is."""
    desk = EventDesk()
    for number in range(MOST_EVENTS + 3):
        desk.happened(told(f"{number}"))
    found, missed = await everything(desk, run=desk.run, after=1)

    assert (len(found), found[0].text, missed) == (MOST_EVENTS, "3", 2)
    assert (await everything(desk))[1] == 0


async def test_a_call_looks_at_so_many_and_says_that_there_is_more():
    """Also one that would wait, and whose events are none of these: it is to ask again, and others in between."""
    desk = EventDesk()
    for number in range(2 * LOOKED_AT + 1):
        desk.happened(told(f"{number}"))
    asked = ReadEvents(desk.run, 0, kinds=("agent_paused",), wait_ms=WAIT_MS)
    first = await desk.answer(1, asked)
    second = await desk.answer(1, replace(asked, after=first.last))
    last = await desk.answer(1, replace(asked, after=second.last, wait_ms=1))

    assert (first.events, first.last, first.more) == ([], LOOKED_AT, True)
    assert (second.events, second.last, second.more) == ([], 2 * LOOKED_AT, True)
    assert (last.events, last.last, last.more) == ([], 2 * LOOKED_AT + 1, False)


async def test_so_many_bytes_are_kept():
    """Of texts, and of what it takes to keep them; a page is bounded too."""
    desk = EventDesk()
    fields = {str(number): "x" * 10_000 for number in range(16)}
    for _ in range(MAX_EVENT_PAGE * 8):
        desk.happened(told("x" * (MAX_EVENT_TEXT + 1), **fields))
    found, _ = await everything(desk)
    size = sum(len(event.text) + sum(map(len, event.fields.values())) for event in found)

    assert len((await desk.answer(1, ReadEvents())).events) == MAX_EVENT_PAGE
    assert MOST_EVENT_BYTES / 2 < size < MOST_EVENT_BYTES
    assert len(found[0].text) == MAX_EVENT_TEXT


async def test_whoever_waits_is_told_of_the_next_one(one_turn_of_the_loop):
    """One that is not asked for ends no wait."""
    desk = EventDesk()
    waiting = asyncio.get_running_loop().create_task(
        desk.answer(1, ReadEvents(desk.run, 0, kinds=("agent_paused",), wait_ms=WAIT_MS))
    )
    await one_turn_of_the_loop()
    desk.happened(told("one"))
    await one_turn_of_the_loop()
    desk.heard(0, [EventView("agent_paused", "info", "two", 5)])
    page = await waiting

    assert ([event.text for event in page.events], page.last) == (["two"], 2)


async def test_a_wait_ends():
    """With nothing, when nothing happens."""
    desk = EventDesk()
    page = await desk.answer(1, ReadEvents(desk.run, 0, wait_ms=1))
    assert (page.events, page.last) == ([], 0)


async def waiting_calls(desk, lines, one_turn_of_the_loop):
    """Let a call of each of these lines wait; return its task."""
    begun = [
        asyncio.get_running_loop().create_task(desk.answer(line, ReadEvents(desk.run, 0, wait_ms=WAIT_MS)))
        for line in lines
    ]
    await one_turn_of_the_loop()
    return begun


async def end(desk, begun):
    """Let all that wait be told."""
    desk.happened(told("end"))
    await asyncio.gather(*begun)


async def test_so_many_calls_wait_at_a_time(one_turn_of_the_loop):
    """One more is refused, until they have ended."""
    desk = EventDesk()
    begun = await waiting_calls(desk, range(MOST_WAITING), one_turn_of_the_loop)
    with pytest.raises(ResourceExhausted, match="256"):
        await desk.answer(MOST_WAITING, ReadEvents(desk.run, 0, wait_ms=WAIT_MS))
    await end(desk, begun)

    assert (await desk.answer(1, ReadEvents(desk.run, 1, wait_ms=1))).events == []


async def test_so_many_calls_of_one_client_wait_at_a_time(one_turn_of_the_loop):
    """Others find room."""
    desk = EventDesk()
    begun = await waiting_calls(desk, [1] * MOST_WAITING_OF_ONE, one_turn_of_the_loop)
    with pytest.raises(ResourceExhausted, match="64"):
        await desk.answer(1, ReadEvents(desk.run, 0, wait_ms=WAIT_MS))
    begun += await waiting_calls(desk, [2], one_turn_of_the_loop)
    assert not begun[-1].done()
    await end(desk, begun)
