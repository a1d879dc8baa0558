"""Agents of all shards, a page of each at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.client.calls.agent_listing import AgentListing
from caxton.errors import ShardUnavailable, ValidationError
from caxton.wire.calls import Agents, AgentView, ListAgents

MOST_OF_A_PAGE = 3


def view(name):
    return AgentView(1, name, "running", 0, "content", (), {}, bytes(32), False, 0, {})


class Shards:
    """Shards with agents of these names; a page has three at most, and every second one is empty."""

    def __init__(self, *shards):
        self.shards = [sorted(names) for names in shards]
        self.asked = []
        self._empty = False

    async def ask(self, shard, request):
        self.asked.append((shard, request.limit))
        names = [name for name in self.shards[shard] if name > request.after]
        self._empty = not self._empty
        if self._empty and names:  # those that were looked at were not wanted
            return Agents([], more=True, after=f"{request.after}!", total=len(self.shards[shard]))
        page = names[: min(request.limit, MOST_OF_A_PAGE)]
        after = page[-1] if page else request.after
        return Agents([view(name) for name in page], len(names) > len(page), after, len(self.shards[shard]))

    def listing(self, name=None, state=None, limit=None):
        return AgentListing(self.ask, len(self.shards), name, state, limit)


NAMES = st.sets(st.text("abc", min_size=1, max_size=4), max_size=20)


@given(names=NAMES, limit=st.none() | st.integers(0, 25), cut=st.integers(0, 20))
async def test_agents_come_in_the_order_of_their_names(names, limit, cut):
    """From whichever shard and whichever page they are, each once; and no more than the limit."""
    listed = sorted(names)
    shards = Shards(listed[:cut][::2], listed[cut:], listed[:cut][1::2])
    listing = shards.listing(limit=limit)

    assert [view.name async for view in listing] == listed[:limit]
    assert limit == 0 or listing.total == len(listed)
    assert [view.name for view in await shards.listing(limit=limit)] == listed[:limit]


async def test_no_more_is_asked_for_than_is_taken():
    """The first page of each shard, as long as nobody wants the second."""
    shards = Shards(map(str, range(100, 200)), map(str, range(200, 300)))
    listing = aiter(shards.listing(limit=5))
    for _ in range(MOST_OF_A_PAGE):
        await anext(listing)

    assert shards.asked == [(0, 5), (0, 5), (1, 5), (1, 5)]


async def test_shards_are_asked_for_those_alone_that_may_be_seen():
    """What nobody may see does not travel."""
    asked = []

    async def ask(_shard, request):
        asked.append(request)
        return Agents([], more=False, after="", total=1)

    assert await AgentListing(ask, 1, None, None, 5).only(("a*", "b")) == []
    assert asked == [ListAgents("", 5, among=("a*", "b"))]


async def test_a_shard_that_goes_back_is_not_asked_for_ever():
    """Whatever a worker answers, a listing ends."""

    async def ask(_shard, _request):
        return Agents([], more=True, after="", total=1)

    assert await AgentListing(ask, 1, None, None, None) == []


async def test_a_shard_that_does_not_answer_ends_the_listing():
    """What is missing is told, and no list is taken for the whole."""

    async def ask(shard, _request):
        raise ShardUnavailable(shard, "restarting")

    with pytest.raises(ShardUnavailable):
        await AgentListing(ask, 2, None, None, None)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"state": "asleep"}, "running, attached"),
        ({"limit": -1}, "limit"),
        ({"limit": "3"}, "limit"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for_is_refused(wrong, why):
    """Before any shard is asked, in words that say what there is."""
    with pytest.raises(ValidationError, match=why):
        Shards([]).listing(**wrong)
