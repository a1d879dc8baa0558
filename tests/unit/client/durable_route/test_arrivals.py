"""What comes to a client on the durable lane: missed and asked for, known and dropped, read and acknowledged."""

from caxton.client.routes.durable_route import (
    SILENT_TICKS,
    TELL_AFTER,
    TELL_AFTER_BYTES,
)
from caxton.client.routes.inbox import INBOX_CAPACITY
from caxton.wire.control import Hello
from caxton.wire.link_state import LinkState


async def test_a_worker_that_stays_silent_is_asked_what_it_has(client):
    """When nothing under way is acknowledged for two seconds, the worker is asked, and again later."""
    client.start()
    client.submit(b"a")
    client.said(Hello)
    for _ in range(SILENT_TICKS - 1):
        client.durable.tick()
    assert client.said(Hello) == []
    client.durable.tick()
    assert [hello.answer_wanted for hello in client.said(Hello)] == [True]
    client.told(1)
    client.greet(1)
    for _ in range(2 * SILENT_TICKS):
        client.durable.tick()
    assert client.said(Hello) == []


async def test_a_gap_is_asked_for_once(client):
    """After a frame was lost on the way, one hello says what was taken, however many frames follow it."""
    client.start()
    client.arrive(1, 2)
    client.said(Hello)
    client.arrive(4, 1)
    client.arrive(5, 1)
    client.durable.taken_all()
    assert [(h.of_file, h.taken) for h in client.said(Hello)] == [(client.file, 2)]
    client.arrive(3, 3)
    client.durable.taken_all()

    assert client.said(Hello) == []
    assert client.counts["out_of_sequence"] == 2
    assert len(client.answers.inbox) == 5


async def test_what_came_before_is_dropped(client):
    """A frame that comes again, in part or whole, adds only what is new."""
    client.start()
    client.arrive(1, 3)
    client.arrive(1, 3)
    client.arrive(2, 3)

    assert (len(client.answers.inbox), client.counts["duplicates"]) == (4, 5)


async def test_an_inbox_without_room_leaves_durable_messages_with_the_worker(client):
    """What does not fit is not taken and not dropped; it is asked for when half of the inbox is free."""
    client.start()
    for first in range(1, INBOX_CAPACITY + 1, 250):
        client.arrive(first, 250)
    client.arrive(INBOX_CAPACITY + 1, 250)
    client.durable.taken_all()
    assert (len(client.answers.inbox), client.counts["held_back"]) == (INBOX_CAPACITY, 250)
    client.said(Hello)
    while len(client.answers.inbox) > INBOX_CAPACITY // 2:
        await client.answers.inbox.next()

    assert [(h.of_file, h.taken) for h in client.said(Hello)] == [(client.file, INBOX_CAPACITY)]
    client.arrive(INBOX_CAPACITY + 1, 250)
    assert len(client.answers.inbox) == INBOX_CAPACITY // 2 + 250


async def test_messages_are_acknowledged_in_batches_when_they_are_read(client):
    """The worker is told at the end of a read that makes it enough messages, or at the next tick."""
    client.start()
    client.arrive(1, TELL_AFTER - 1)
    client.durable.taken_all()
    assert client.said(LinkState) == []
    for _ in range(TELL_AFTER - 1):
        await client.answers.inbox.next()
    client.arrive(TELL_AFTER, 1)
    client.durable.taken_all()
    assert [state.taken for state in client.said(LinkState)] == [TELL_AFTER - 1]
    await client.answers.inbox.next()
    client.durable.tick()

    assert [state.taken for state in client.said(LinkState)] == [TELL_AFTER]


async def test_large_messages_are_acknowledged_sooner(client):
    """The worker, which keeps what is not acknowledged, is told after 16 MiB, however few messages that were."""
    client.start()
    client.arrive(1, 1, TELL_AFTER_BYTES // 2)
    client.durable.taken_all()
    assert client.said(LinkState) == []
    client.arrive(2, 1, TELL_AFTER_BYTES // 2)
    client.durable.taken_all()

    assert len(client.said(LinkState)) == 1
