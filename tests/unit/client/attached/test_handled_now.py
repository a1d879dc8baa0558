"""What a handler sends while it runs says what it follows from."""

import asyncio

import pytest
from msgspec import structs

from caxton.acl.envelope import Cause, Waiters
from caxton.client.routes.handled_now import HANDLED_NOW, be_sealed, cause_now
from caxton.errors import NetworkError
from caxton.wire.calls import Deliveries
from caxton.wire.delivery import AskSeal

SEAL = b"s" * 16
ROOT = b"r" * 16


@pytest.fixture
def sealed(delivery):
    """A function that makes a delivery with the seal of its cause, so many hops from its root."""

    def make(number, hops=1, seal=SEAL, **fields):
        return structs.replace(delivery(number, cause=Cause(hops, ROOT), **fields), seal=seal)

    return make


def claimed(number, hops):
    return Cause(hops + 1, ROOT, waiters=Waiters((number.to_bytes(16),), SEAL))


async def test_a_call_has_the_cause_of_its_message(shard, agent_of, sealed):
    """Each call claims what it handles, in its threads too, and to no other session; outside there is nothing."""
    found = {}

    async def handler(delivered):
        number = int.from_bytes(bytes(delivered.message.message_id))
        in_thread = await asyncio.to_thread(cause_now, shard.number)
        found[number] = cause_now(shard.number), in_thread, cause_now(shard.number + 1)

    async with agent_of(handler, order="none"):
        shard.put(Deliveries([sealed(n, hops=n) for n in range(1, 9)]))
        await shard.ended(8)
    assert found == {n: (claimed(n, n), claimed(n, n), None) for n in range(1, 9)}
    assert HANDLED_NOW.get() is None


async def test_what_a_call_leaves_behind_claims_nothing(shard, agent_of, sealed):
    """A task that goes on when its call has ended follows from nothing."""
    over, found = asyncio.Event(), []

    async def later():
        found.append(cause_now(shard.number))
        await over.wait()
        found.append(cause_now(shard.number))

    async def handler(_):
        group.create_task(later())

    async with asyncio.TaskGroup() as group, agent_of(handler):
        shard.put(Deliveries([sealed(1)]))
        await shard.ended(1)
        over.set()
    assert found[-1] is None


async def test_a_call_of_several_claims_the_one_furthest_from_its_root(shard, agent_of, sealed):
    """So that what follows from any of them ends."""
    found = []

    async def handler(_):
        found.append(cause_now(shard.number))

    async with agent_of(handler, batch=True):
        shard.put(Deliveries([sealed(1, hops=3), sealed(2, hops=9), sealed(3, hops=5)]))
        await shard.ended(3)
    assert found == [claimed(2, 9)]


@pytest.mark.parametrize("is_other", [False, True])
async def test_without_a_seal_of_this_session_nothing_is_claimed(shard, agent_of, sealed, is_other):
    """A runtime that gives no seal, or a session that came while the answer was on its way: then it is a root."""
    found = []
    shard.seal = NetworkError("the worker", "it ended")

    async def handler(_):
        await be_sealed(shard.number)
        found.append(cause_now(shard.number))

    async with agent_of(handler):
        await shard.exchanged(1)
        shard.number += is_other
        shard.put(Deliveries([sealed(1, seal=SEAL if is_other else None)]))
        await shard.ended(1)
    assert found == [None]


async def test_the_first_that_is_sent_asks_for_the_seal(shard, agent_of, sealed):
    """A handler that sends nothing costs nobody a seal; from the first that does on they come with the messages."""
    found = []

    async def handler(delivered):
        if delivered.message.content == b"asks":
            await be_sealed(shard.number)
            await be_sealed(shard.number)
            found.append(cause_now(shard.number))

    async with agent_of(handler):
        shard.put(Deliveries([sealed(1, seal=None, content=b"quiet")]))
        await shard.ended(1)
        assert not [request for request in shard.exchanges() if request.wants_seals]
        shard.put(Deliveries([sealed(2, seal=None, content=b"asks")]))
        await shard.ended(2)
        shard.put(Deliveries([sealed(3, content=b"asks")]))
        await shard.ended(3)
    assert [request for request in shard.heard if isinstance(request, AskSeal)] == [AskSeal(5, 2)]
    assert shard.exchanges()[-1].wants_seals
    assert found == [claimed(2, 1), claimed(3, 1)]
