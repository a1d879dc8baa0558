"""Names that are shown beside something else: found out soon, or not at all for a while."""

import asyncio
from types import SimpleNamespace

import pytest

from caxton.cli import party_names as room
from caxton.cli.party_names import LEFT_ALONE_S, PartyNames
from caxton.errors import AgentNotFound, ShardUnavailable
from caxton.ids import AgentId

FIRST, SECOND, CLIENT = AgentId(5), AgentId(6), AgentId((1 << 63) + 1)


class Runtime:
    """It says what agents are called, or what it is told to instead, for which it takes as long as it takes."""

    def __init__(self):
        self.asked, self.says, self.now_s = [], None, 100.0

    async def inspect(self, party):
        self.asked.append(party)
        if self.says is not None:
            raise self.says
        return SimpleNamespace(name=f"agent-{int(party)}")

    async def never(self, party):
        self.asked.append(party)
        await asyncio.get_running_loop().create_future()


@pytest.fixture
def runtime():
    return Runtime()


@pytest.fixture
def names(runtime):
    return PartyNames(runtime, lambda: runtime.now_s)


async def test_a_name_is_asked_for_once(names, runtime):
    """Nobody asks for that of a client; who is not there is its id."""
    assert [await names.of(FIRST), await names.of(FIRST)] == ["agent-5", "agent-5"]
    assert [await names.of(CLIENT), await names.of(None)] == [f"client {CLIENT}", "client None"]
    runtime.says = AgentNotFound("6")
    assert [await names.of(SECOND), await names.of(SECOND)] == [str(SECOND)] * 2
    assert runtime.asked == [FIRST, SECOND]


async def test_a_shard_that_says_nothing_holds_nobody_up_twice(names, runtime, monkeypatch):
    """Ids are shown for a while, those of others too, and then it is asked again."""
    monkeypatch.setattr(room, "ANSWER_S", 0.0)
    monkeypatch.setattr(runtime, "inspect", runtime.never)
    shown = [await names.of(party) for party in (FIRST, FIRST, SECOND)]
    assert shown == [str(FIRST), str(FIRST), str(SECOND)]
    assert runtime.asked == [FIRST]
    runtime.now_s += LEFT_ALONE_S
    assert await names.of(FIRST) == str(FIRST)
    assert runtime.asked == [FIRST, FIRST]


async def test_a_shard_that_is_away_is_asked_again_later(names, runtime):
    """What is known by then is shown all the while."""
    await names.of(FIRST)
    runtime.says = ShardUnavailable(0, "restarting")
    assert [await names.of(SECOND), await names.of(FIRST)] == [str(SECOND), "agent-5"]
    runtime.says = None
    assert await names.of(SECOND) == str(SECOND)
    runtime.now_s += LEFT_ALONE_S
    assert await names.of(SECOND) == "agent-6"


async def test_so_many_names_are_known(names, runtime, monkeypatch):
    """Beyond that they are asked for anew."""
    monkeypatch.setattr(room, "MOST_NAMES", 1)
    for party in (FIRST, SECOND, FIRST):
        await names.of(party)
    assert runtime.asked == [FIRST, SECOND, FIRST]
