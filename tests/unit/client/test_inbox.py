import asyncio

import pytest

from caxton.acl.message import Message
from caxton.client.routes.inbox import INBOX_CAPACITY, Inbox
from caxton.client.routes.pace import DROPPED_AT_ONCE
from caxton.client.routes.unread import Unread
from caxton.links.durable import DurableIncoming


@pytest.fixture
async def inbox():
    return Inbox()


@pytest.fixture
def unread():
    incoming = DurableIncoming(window_messages=None, window_bytes=None)
    incoming.take(1, 2 * INBOX_CAPACITY, 0)
    return Unread(incoming)


def message(content):
    return Message(5, content).envelope


async def test_who_waits_for_the_inbox_is_woken(inbox, one_turn_of_the_loop):
    """Whoever waits gets the next message, or None when the client is closed; what is there is given out first."""
    async with asyncio.TaskGroup() as group:
        first = group.create_task(inbox.next())
        second = group.create_task(inbox.next())
        await one_turn_of_the_loop()
        inbox.keep(message(b"a"))
        await first
        inbox.keep(message(b"b"))
        await second
        last = group.create_task(inbox.next())
        await one_turn_of_the_loop()
        inbox.close()

    assert {first.result().content, second.result().content} == {b"a", b"b"}
    assert last.result() is None
    inbox.keep(message(b"c"))
    assert (await inbox.next()).content == b"c"


async def test_the_inbox_is_iterated_to_the_end(inbox):
    """A loop over the inbox gets what is there in order, and ends when the client is closed."""
    for content in (b"a", b"b"):
        inbox.keep(message(content))
    inbox.close()

    assert [one.content async for one in inbox] == [b"a", b"b"]


async def test_unread_durable_messages_leave_volatile_ones_their_room(inbox, unread):
    """Each kind has a capacity of its own, so neither keeps the other out."""
    for sequence in range(1, INBOX_CAPACITY + 1):
        unread.keep(sequence)
        inbox.keep(message(b""), unread)
    assert (inbox.full, inbox.full_of_unread) == (False, True)
    for _ in range(INBOX_CAPACITY):
        inbox.keep(message(b""))
    assert inbox.full


async def test_room_is_told_when_half_of_it_is_free_again(inbox, unread):
    """When durable messages were held back, it is told once, when half of their capacity is free."""
    told = []
    inbox.on_room = lambda: told.append(len(inbox))
    for sequence in range(1, INBOX_CAPACITY + 1):
        unread.keep(sequence)
        inbox.keep(message(b""), unread)
    await inbox.next()
    assert told == []
    inbox.hold_back()
    while len(inbox):
        await inbox.next()

    assert told == [INBOX_CAPACITY // 2]
    assert unread.incoming.placed == 2 * INBOX_CAPACITY


async def test_what_is_passed_over_is_counted_and_forgotten(inbox, unread):
    """What waits is taken at once, also durable messages, and what comes is not kept until somebody listens."""
    counted = []
    for sequence in (1, 2):
        unread.keep(sequence)
        inbox.keep(message(b"durable"), unread)
    inbox.keep(message(b"volatile"))
    inbox.pass_over(lambda: counted.append(len(inbox)))
    assert (counted, unread.incoming.placed) == ([2, 1, 0], 2 * INBOX_CAPACITY)
    inbox.keep(message(b"more"))
    assert (len(counted), len(inbox)) == (4, 0)
    inbox.listen()
    inbox.keep(message(b"last"))
    assert ((await inbox.next()).content, len(counted)) == (b"last", 4)


async def test_only_the_inbox_of_one_of_many_clients_is_to_rest(inbox):
    """A client that has its process takes whatever comes; one of many is told to rest when it drops much."""
    for _ in range(2 * DROPPED_AT_ONCE):
        inbox.drop(message(b""))
    assert inbox.rest_s(100.0) == 0
    inbox.hold_at_most(1)
    for _ in range(2 * DROPPED_AT_ONCE):
        inbox.drop(message(b""))
    assert inbox.rest_s(100.0) > 0
