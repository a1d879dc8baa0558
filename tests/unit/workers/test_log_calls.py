"""What a shard answers whoever asks for a log: lines, how far that goes, what is missing; or it waits for some."""

import asyncio

import pytest

from caxton.errors import AgentNotFound
from caxton.ring import Ring
from caxton.wire.codec import CONTROL
from caxton.wire.control import Answer
from caxton.wire.watching import MAX_LOG_PAGE, MAX_WATCH_WAIT_MS, ReadLog
from workers.loop.log_calls import LogCalls

MESSAGE = bytes(range(16))


class Asked:
    def __init__(self, shard, turn):
        self.turn = turn
        self.shard, self.logs = shard, shard.parts.watching.logs
        self.agent = shard.agent(1)
        self.calls = LogCalls(shard.parts)

    def write(self, *texts, level=1, at=5):
        for text in texts:
            self.logs.write(self.agent.agent_id, level, text, MESSAGE, at)

    def ask(self, page=None, **asked):
        return self.shard.runner.run(self.answer(page, **asked))

    async def answer(self, page=None, **asked):
        """The answer, behind an earlier page if there is one."""
        if page is not None:
            asked = {"incarnation": page.incarnation, "log": page.log, "after": page.last} | asked
        return await self.calls.answer(9, ReadLog(self.agent.agent_id, **asked))


@pytest.fixture
def asked(shard, one_turn_of_the_loop):
    return Asked(shard, one_turn_of_the_loop)


def texts(page):
    return [line.text for line in page.lines]


def test_a_page_goes_on_where_the_one_before_ended(asked):
    """Each line is told once; an agent that has logged nothing has a page without lines."""
    page = asked.ask()
    assert (page.log, page.lines, page.incarnation) == (0, [], asked.shard.own)
    asked.write("a", "b")
    page = asked.ask(page)
    assert texts(page) == ["a", "b"]
    asked.write("c")
    page = asked.ask(page)
    assert texts(page) == ["c"]
    assert texts(asked.ask(page)) == []


def test_a_page_says_what_is_missing(asked):
    """Between lines and behind the last; what nobody wants to see is not missing."""
    asked.write("a", None, None, "b")
    asked.write("quiet", level=0)
    asked.write("c", None)
    page = asked.ask(level=1)
    assert [(line.text, line.missed) for line in page.lines] == [("a", 0), ("b", 2), ("c", 0)]
    assert page.missed == 1
    assert asked.ask(page, level=1).missed == 0


def test_the_tail_and_what_is_old_enough_are_told_alone(asked):
    """By the number of lines, by their moment, and by their level."""
    asked.write("old", at=4)
    asked.write("a", "b", None, "c", at=5)
    asked.write("worse", level=3, at=5)
    assert texts(asked.ask(tail=2)) == ["c", "worse"]
    assert asked.ask(tail=2).lines[0].missed == 0, "there is more before it, missing or not"
    assert texts(asked.ask(tail=0)) == []
    assert texts(asked.ask(since=5)) == ["a", "b", "c", "worse"]
    assert texts(asked.ask(level=2)) == ["worse"]
    assert texts(asked.ask(tail=1, level=1, since=6)) == []


def test_another_log_is_told_from_its_beginning(asked):
    """That of a worker before, or of an agent that was removed meanwhile."""
    asked.write("a", "b")
    page = asked.ask()
    assert texts(asked.ask(page, incarnation=page.incarnation - 1)) == ["a", "b"]
    asked.logs.forget(asked.agent.agent_id)
    asked.write("new")
    assert texts(asked.ask(page)) == ["new"]


async def waiting(asked, group, page, **more):
    task = group.create_task(asked.answer(page, wait_ms=MAX_WATCH_WAIT_MS, **more))
    while not asked.logs.waits:
        await asked.turn()
    return task


def test_an_answer_waits_for_a_line(asked):
    """That one wants to see; what is none of these does not end it."""

    async def both():
        async with asyncio.TaskGroup() as group:
            task = await waiting(asked, group, asked_page, level=2)
            asked.write("quiet")
            await asked.turn()
            asked.write("loud", level=2)
        return task.result()

    asked_page = asked.ask()
    assert texts(asked.shard.runner.run(both())) == ["loud"]


def test_an_answer_that_waits_looks_at_each_line_once(asked, monkeypatch):
    """However many come that it does not want to see, one after the other."""
    looked_at = []
    behind = Ring.behind

    def counted(ring, after):
        for kept in behind(ring, after):
            looked_at.append(kept.number)
            yield kept

    async def both():
        async with asyncio.TaskGroup() as group:
            task = await waiting(asked, group, page, level=2)
            for _ in range(10):
                asked.write("quiet")
                await asked.turn()
            asked.write(None)
            asked.write("loud", level=2)
        return task.result()

    asked.write("quiet")
    page = asked.ask()
    asked.write(*["quiet"] * 100)
    monkeypatch.setattr(Ring, "behind", counted)
    told = asked.shard.runner.run(both())
    assert (texts(told), told.lines[0].missed, told.last) == (["loud"], 1, 113)
    assert looked_at == [n for n in range(2, 114) if n != 112]


def test_an_answer_that_waits_is_told_of_another_worker_at_once(asked):
    """So that whoever follows can say so, though nothing is logged any more."""
    page = asked.ask()
    again = asked.ask(page, incarnation=page.incarnation - 1, wait_ms=MAX_WATCH_WAIT_MS)
    assert again.incarnation == asked.shard.own


def test_an_answer_waits_for_no_agent_that_is_not_there(asked):
    """Nor for one that is removed meanwhile."""

    async def both():
        async with asyncio.TaskGroup() as group:
            await waiting(asked, group, page)
            await asked.shard.lifecycle.remove([asked.agent.agent_id])

    page = asked.ask()
    with pytest.RaisesGroup(AgentNotFound):
        asked.shard.runner.run(both())
    with pytest.raises(AgentNotFound):
        asked.ask()


def test_the_fullest_page_travels(asked):
    """As many lines as are kept of an agent, as long as lines may be."""
    asked.write(*["\u2028"] * MAX_LOG_PAGE)
    page = asked.ask()
    assert len(page.lines) == MAX_LOG_PAGE
    asked.write(*["\ufffd" * 4_096] * MAX_LOG_PAGE)
    for full in (page, asked.ask()):
        assert CONTROL.decode(CONTROL.encode(Answer(1, bytes(16), 2, 3, full))).result == full
