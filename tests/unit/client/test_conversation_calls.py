"""What a client asks about conversations, of shards that the test plays."""

import asyncio
from types import SimpleNamespace

import pytest
from msgspec import structs

from caxton.client.client import Client
from caxton.conversations.view import ConversationView
from caxton.errors import ConversationNotFound, ParseError, ValidationError
from caxton.ids import SESSION_BIT, AgentNames, ConversationId, is_of
from caxton.wire.conversations import (
    AskConversationFigures,
    ConversationFigures,
    Conversations,
    FindConversations,
    ListConversations,
    ResumeConversation,
)

PAGE = 3


def named(number):
    return number.to_bytes(16, "big")


def view(number, shard, state=1):
    return ConversationView(named(number), 5, (5, 6 + shard), state, "", 1, 1, 1, 1, 1, shards=(shard,))


class Shards:
    """Two shards; each knows all conversations but every third one. They answer three at a time."""

    def __init__(self):
        self.loop, self.names, self.session = asyncio.get_running_loop(), AgentNames(b"key"), self
        self.shards = 2
        self.known = [{named(n): view(n, shard, n % 5) for n in range(1, 31) if (n + shard) % 3} for shard in (0, 1)]
        # What others opened under ids of these.
        self.others = ([], [])
        self.asked = []

    async def call(self, shard, request, answer, timeout_s):
        self.asked.append(request)
        known = self.known[shard]
        match request:
            case FindConversations(ids):
                others = [view for view in self.others[shard] if view.conversation in ids]
                return Conversations([known[one] for one in ids if one in known] + others)
            case ListConversations(after, limit, agent):
                fits = sorted(one for one, v in known.items() if one > after and (agent is None or agent in v.members))
                some = fits[: min(limit, PAGE)]
                return Conversations([known[one] for one in some], len(fits) > len(some))
            case AskConversationFigures():
                return ConversationFigures(3, 1, 4, 40 * (1 + shard), 6, {2: 3}, 100, 10, 1, 2, 3, 4)
        known_one = known.get(request.conversation)
        return Conversations([] if known_one is None else [known_one])


@pytest.fixture
async def shards():
    return Shards()


@pytest.fixture
async def client(shards, tmp_path):
    client = Client(tmp_path)
    client._runtime = shards
    return client


async def test_conversations_come_in_pages(client, shards):
    """All of all shards, each once, in the order of their ids, with what every shard knows of it."""
    found = [v async for v in client.conversations()]
    assert [v.conversation for v in found] == [named(n) for n in range(1, 31)]
    both = [v for v in found if v.shards == (0, 1)]
    assert len(both) == 10
    assert {v.messages for v in both} == {2}
    lists = [request for request in shards.asked if isinstance(request, ListConversations)]
    assert len(lists) >= 2 * 20 // PAGE


async def test_no_more_are_asked_for_than_are_wanted(client, shards):
    """Nor a page more than it takes."""
    assert len([v async for v in client.conversations(limit=2)]) == 2
    assert [v async for v in client.conversations(limit=0)] == []
    assert all(request.limit <= 2 for request in shards.asked if isinstance(request, ListConversations))


async def test_some_are_chosen_by_agent_and_state(client):
    """The state is that of the whole conversation; an agent's are those of which any shard says so."""
    expired = [v async for v in client.conversations(state="expired")]
    assert [v.conversation for v in expired] == [named(n) for n in range(1, 31) if n % 5 == 2]
    of_agent = [v async for v in client.conversations(agent=7)]
    assert [v.conversation for v in of_agent] == sorted(client._runtime.known[1])
    assert all({5, 7} <= {int(p) for p in v.participants} for v in of_agent)
    limited = [v async for v in client.conversations(state="expired", limit=2)]
    assert limited == expired[:2]


@pytest.mark.parametrize("wrong", [{"state": "gone"}, {"limit": -1}, {"agent": 0}, {"agent": 1.5}])
async def test_what_nobody_can_be_meant_by_is_refused(client, shards, wrong):
    """Before any shard is asked."""
    with pytest.raises(ValidationError):
        _ = [v async for v in client.conversations(**wrong)]
    assert not shards.asked


async def test_one_conversation_is_the_join_of_what_shards_know(client):
    """By its id, the text of that, or a view; and an error where nobody knows it."""
    one = await client.conversation(ConversationId(named(4)))
    assert (one.shards, one.messages, one.members) == ((0, 1), 2, (5, 6, 7))
    assert await client.conversation(str(one.id)) == await client.conversation(one) == one
    with pytest.raises(ConversationNotFound):
        await client.conversation(ConversationId(named(99)))
    with pytest.raises(ParseError):
        await client.conversation("x")
    with pytest.raises(ValidationError):
        await client.conversation(5)


async def test_figures_of_all_shards_add_up(client):
    """Averages are over all that began, wherever that was."""
    stats = await client.conversation_stats()
    assert (stats.total_active, stats.total_created, stats.total_archived) == (6, 8, 2)
    assert (stats.average_duration_ms, stats.average_message_count) == (120 // 8, 12 / 8)
    assert stats.participants_distribution == {2: 6}
    assert (stats.evicted, stats.stopped, stats.strangers_refused, stats.ended_refused) == (2, 4, 6, 8)


async def test_a_conversation_is_resumed_wherever_it_is_known(client):
    """For a time within its bounds; one that nobody knows is an error."""
    assert (await client.resume_conversation(ConversationId(named(4)), timeout_s=300)).shards == (0, 1)
    for wrong in (299, 86_401, 1.5):
        with pytest.raises(ValidationError):
            await client.resume_conversation(ConversationId(named(4)), timeout_s=wrong)
    with pytest.raises(ConversationNotFound):
        await client.resume_conversation(ConversationId(named(99)))


async def test_conversations_of_one_id_are_not_mixed(client, shards):
    """Of several the first is told, or the one that a view is of; a list has all of them, each of its own members."""
    stranger = structs.replace(view(4, 1), initiator=9, members=(7, 9), opened_at=5, messages=8)
    shards.others[1].append(stranger)
    shards.others[0].append(structs.replace(stranger, shards=(0,)))
    one = await client.conversation(str(ConversationId(named(4))))
    assert (one.initiator, one.messages, one.members) == (5, 2, (5, 6, 7))
    theirs = await client.conversation(stranger)
    assert (theirs.initiator, theirs.messages, theirs.shards) == (9, 16, (0, 1))
    assert [v.initiator async for v in client.conversations() if v.conversation == named(4)] == [5, 9]
    assert [v.initiator async for v in client.conversations(agent=9)] == []  # no shard lists it for that agent
    await client.resume_conversation(theirs)
    assert {r.initiator for r in shards.asked if isinstance(r, ResumeConversation)} == {9}


async def test_whoever_made_an_id_has_the_first_conversation_of_it(client, shards):
    """However early somebody else used it."""
    session = SESSION_BIT | 5
    own = structs.replace(view(4, 1), conversation=bytes(ConversationId.of_session(session, 1)), initiator=session)
    early = structs.replace(own, initiator=9, opened_at=0)
    shards.others[1].extend([early, own])
    assert (await client.conversation(own.id)).initiator == session


def test_new_conversations_have_ids_of_their_own(tmp_path):
    """Also before the client is open; then nobody can tell whose they are."""
    client = Client(tmp_path)
    made = [client.new_conversation() for _ in range(100)]
    assert len(set(made)) == 100
    client._runtime = SimpleNamespace(session=SimpleNamespace(number=SESSION_BIT | 5))
    assert is_of(bytes(client.new_conversation()), SESSION_BIT | 5)
    assert not is_of(bytes(made[0]), SESSION_BIT | 5)
