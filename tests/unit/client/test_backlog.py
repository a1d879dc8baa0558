"""Messages of one lane to one shard: how many of one receiver are under way, and what is counted of receivers."""

import asyncio

import pytest

from caxton.acl.envelope import Envelope
from caxton.acl.options import Lane
from caxton.client.routes.backlog import Backlog
from caxton.client.routes.batches import Batch

SESSION = 1 << 63


@pytest.fixture
def backlog():
    return Backlog(Lane.VOLATILE)


@pytest.fixture
async def put(backlog):
    """A function that lets one message wait for each of these receivers."""
    batches = []

    def added(*receivers):
        batches.append(Batch(len(receivers), "test", 60.0, asyncio.get_running_loop()))
        messages = [Envelope(bytes(16), 7, SESSION, receiver, b"") for receiver in receivers]
        backlog.add([(message, batches[-1], place, True) for place, message in enumerate(messages)])

    yield added
    for batch in batches:
        batch.cancel()


def left(backlog):
    """Let as many go as may: the receiver of each."""
    some = []
    while frame := backlog.fill(1_000, lambda _size: True, frozenset())[0]:
        some += [entry[0].receiver for entry in frame]
    return some


async def test_so_many_of_one_receiver_are_under_way(backlog, put):
    """Of what is for one agent 128 go; the rest waits until these are acknowledged, and holds nobody else back."""
    put(*[5] * 130, 6)
    assert left(backlog) == [5] * 128 + [6]
    assert (backlog.waiting, backlog.has_room(5, 9, frozenset())) == (2, False)

    backlog.settle(1, 1, [])
    backlog.unblock(1_000, frozenset())
    assert left(backlog) == [5]


async def test_receivers_that_have_all_they_were_sent_are_forgotten(backlog, put):
    """However many agents a client has sent to, some thousands of those that nothing is on its way to are counted."""
    for start in range(1, 20_000, 1_000):
        put(*range(start, start + 1_000))
        assert len(left(backlog)) == 1_000
        backlog.settle(1_000, start, [])
        assert len(backlog._unacknowledged) <= 4_096
