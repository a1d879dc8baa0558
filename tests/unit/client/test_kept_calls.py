"""Messages that are kept, as a client asks for them."""

import asyncio

import pytest

from caxton.acl.envelope import Envelope
from caxton.client.client import Client
from caxton.errors import AgentNotFound, MessageNotFound, ValidationError
from caxton.ids import AgentNames, MessageId
from caxton.placement.slot_table import SlotTable
from caxton.wire.kept import FindMessage, KeptMessage, KeptMessages

PAGE = 3
# The first so many messages are in memory, the others on disk.
IN_MEMORY = 4


def kept(number, shard=0):
    place = number if number > IN_MEMORY else None
    return KeptMessage(Envelope(number.to_bytes(16), 7, 9, 5, b"x"), shard, "waiting", 1, place=place)


class Shards:
    """Two shards; the second one has messages 1 to 7 of each agent, and answers three at a time."""

    def __init__(self):
        self.loop, self.names, self.session = asyncio.get_running_loop(), AgentNames(b"key"), self
        self.shards, self.table = 2, SlotTable.even(2)
        self.messages = [kept(number, 1) for number in range(1, 8)]
        self.asked = []

    async def call(self, shard, request, answer, timeout_s):
        self.asked.append((shard, request))
        if isinstance(request, FindMessage):
            return KeptMessages([m for m in self.messages if shard and m.envelope.message_id == request.message_id])
        if not self.messages:
            raise AgentNotFound(f"{request.agent_id:016x}")
        last = request.place or int.from_bytes(request.after)
        assert (request.place is None) == (last <= IN_MEMORY)
        later = [m for m in self.messages if int.from_bytes(m.envelope.message_id) > last]
        some = later[: min(PAGE, request.limit)]
        return KeptMessages(some, len(later) > len(some))


@pytest.fixture
async def shards():
    return Shards()


@pytest.fixture
async def client(shards, tmp_path):
    client = Client(tmp_path)
    client._runtime = shards
    return client


async def test_a_message_is_looked_for_in_every_shard(client, shards):
    """By its id or its text, until one has it; that nobody has it is an error."""
    wanted = MessageId((5).to_bytes(16))
    assert await client.message(str(wanted)) == await client.message(wanted) == kept(5, 1)
    assert [shard for shard, _ in shards.asked] == [0, 1, 0, 1]
    with pytest.raises(MessageNotFound, match="is kept nowhere"):
        await client.message(MessageId((9).to_bytes(16)))


@pytest.mark.parametrize("given", ["5", 5, None, b"x" * 16])
async def test_what_is_no_id_is_refused(client, shards, given):
    """Before anything is asked."""
    with pytest.raises(ValidationError):
        await client.message(given)
    assert shards.asked == []


@pytest.mark.parametrize("limit", [None, 0, 1, 3, 4, 7, 9])
async def test_what_waits_comes_page_by_page(client, shards, limit):
    """Each once, in order, from the shard of the agent, and no more pages than the limit needs."""
    found = [m.envelope.message_id[-1] async for m in client.waiting("tally", limit=limit)]

    assert found == list(range(1, 8))[:limit]
    assert {shard for shard, _ in shards.asked} <= {shards.table.shard_of(client.id_of("tally"))}
    assert len(shards.asked) == {0: 0, 1: 1, 3: 1, 4: 2}.get(limit, 3)


async def test_a_list_goes_on_where_another_ended(client):
    """Behind a message, or its cursor; what is neither is refused."""
    for after in (kept(2), kept(5), f"m{2:032x}", "d5"):
        number = 2 if after in (kept(2), f"m{2:032x}") else 5
        found = [m.envelope.message_id[-1] async for m in client.waiting("tally", after=after)]
        assert found == list(range(number + 1, 8))
    for wrong in (5, "m5", "d", "d-1", "x5", "d" + "9" * 30, MessageId(bytes(16))):
        with pytest.raises(ValidationError, match="after"):
            [m async for m in client.waiting("tally", after=wrong)]


async def test_an_agent_that_is_not_there_is_named_as_it_was_typed(client, shards):
    """An error, and not an empty list."""
    shards.messages = []
    with pytest.raises(AgentNotFound, match="no agent tally"):
        [m async for m in client.waiting("tally")]
