"""What a client sends on the durable lane, until it is acknowledged or its end is known."""

import pytest

from caxton.acl.options import Lane
from caxton.client.routes.durable_route import (
    SILENT_TICKS,
)
from caxton.client.routes.receipts import Receipt
from caxton.errors import AgentNotFound, NetworkError, ShardUnavailable, StorageError
from caxton.wire.control import Hello
from caxton.wire.link_state import MAX_REFUSALS, LinkState, Refusal


async def test_nothing_goes_to_a_worker_that_has_not_greeted_us(client):
    """A new worker is told who is there at once and at every tick; data follows when it has answered."""
    client.start(file=0)
    client.submit(b"a")
    client.durable.tick()
    assert client.sent() == []
    assert [(h.file, h.of_file, h.taken, h.answer_wanted) for h in client.said(Hello)] == [
        (client.session, 0, 0, True)
    ] * 2

    client.greet(0, answer_wanted=True)
    client.durable.tick()
    assert client.sent() == [(1, False, [b"a"])]
    assert [(h.of_file, h.answer_wanted) for h in client.said(Hello)] == [(client.file, False)]


async def test_a_send_ends_when_it_is_acknowledged(client):
    """Its result is a receipt with its id and lane."""
    client.start()
    (place,) = client.submit(b"a")
    assert client.batch.results[place] is None
    client.told(1)

    assert client.batch.results[place] == Receipt(bytes(16), Lane.DURABLE)


async def test_what_is_under_way_goes_to_the_next_worker_as_it_was(client):
    """Every sequence has the same content again, marked as resent, after what the next worker says it has."""
    contents = [str(n).encode() for n in range(700)]
    client.start()
    client.told(0)
    client.submit(*contents)
    client.sent()
    client.start(taken=100)
    client.told(100)
    resent = client.sent()

    assert all(is_resent for _, is_resent, _ in resent)
    assert [first for first, _, _ in resent][:2] == [101, 165]
    assert [content for _, _, some in resent for content in some] == contents[100:]
    assert {first: some[0] for first, _, some in resent} == {first: contents[first - 1] for first, _, _ in resent}
    assert client.counts["resent"] == 600


async def test_what_waited_for_room_goes_to_the_next_worker_unasked(client):
    """A successor knows of no agent that is full, and has nothing to say to who sends nothing: so it goes at once."""
    client.start()
    client.durable.link.full = frozenset({5})
    client.submit(b"a", receiver=5)
    assert client.sent() == []
    client.start()
    assert client.sent() == [(1, False, [b"a"])]


async def test_what_its_caller_gave_up_goes_again_too(client):
    """A sequence that has a number keeps its message, whether anybody waits for it or not."""
    client.start()
    client.submit(b"a", b"b")
    client.batch.cancel()
    client.sent()
    client.start()

    assert client.sent() == [(1, True, [b"a", b"b"])]


async def test_a_full_disk_ends_what_has_no_number(client):
    """While the worker is closed, what waits and what comes ends with StorageError; what is under way waits for it."""
    client.start()
    going = client.submit(*[b"x"] * 64)
    waiting = client.submit(b"y")
    client.told(0, closed="the disk is full", credit=64)
    later = client.submit(b"z")
    assert client.results([*waiting, *later]) == [StorageError] * 2
    assert "shard 0: the disk is full" in str(client.batch.results[waiting[0]])
    assert client.durable.has_room(5), "who does not want to wait is told at once"

    client.told(64)
    assert client.results(going) == [Receipt] * 64
    assert client.submit(b"y")
    assert client.sent()[-1] == (65, False, [b"y"])


async def test_who_gives_up_while_the_disk_is_full_is_told_what_is_known(client):
    """A Timeout of what is under way says that the disk is full and that it may be stored; not once there is room."""
    client.start()
    client.submit(b"x")
    assert client.batch.knows == ""
    client.told(0, closed="the disk is full")
    assert client.batch.knows == "shard 0 takes nothing durable now: the disk is full; it may be stored yet"
    client.told(0)
    assert client.batch.knows == ""


async def test_a_worker_that_takes_nothing_is_asked_whether_it_does_again(client):
    """Every two seconds, also when nothing is under way: its word that there is room on the disk may have been lost."""
    client.start()
    client.told(0, closed="the disk is full")
    client.said(Hello)
    for _ in range(SILENT_TICKS):
        client.durable.tick()
    assert [hello.answer_wanted for hello in client.said(Hello)] == [True]


@pytest.mark.parametrize("state", ["failed", "quarantined"])
async def test_a_shard_that_does_not_come_back_ends_what_has_no_number(client, state):
    """What waits for credit, and what comes, ends with ShardUnavailable; what is under way may still be committed."""
    client.start()
    going = client.submit(*[b"x"] * 64)
    waiting = client.submit(b"y")
    client.route.change(None, state)
    assert client.results([*going, *waiting, *client.submit(b"z")]) == [type(None)] * 64 + [ShardUnavailable] * 2

    client.start(taken=64)
    client.told(64)
    assert client.results(going) == [Receipt] * 64


async def test_another_file_loses_what_was_under_way(client):
    """A worker with another file begins with sequence 1, and the fate of what its predecessor had is unknown."""
    client.start()
    going = client.submit(*[b"x"] * 64)
    client.submit(b"y")
    client.sent()
    client.start(file=client.file + 1)

    assert client.results(going) == [NetworkError] * 64
    assert client.sent() == [(1, False, [b"y"])]


async def test_states_of_a_worker_that_has_not_greeted_us_settle_nothing(client):
    """They may speak of another store's numbers."""
    client.start()
    (place,) = client.submit(b"a")
    client.start(file=0)
    client.told(1)
    assert client.batch.results[place] is None
    client.greet(1)
    client.told(1)

    assert client.results([place]) == [Receipt]


async def test_a_frame_that_found_no_room_goes_again(client):
    """What the socket refused is asked for at the next tick, and sent from where the worker says."""
    client.start()
    client.data.is_full = True
    client.submit(b"a")
    client.data.is_full = False
    client.said(Hello)
    client.durable.tick()
    assert [hello.answer_wanted for hello in client.said(Hello)] == [True]
    client.greet(0)

    assert client.sent() == [(1, True, [b"a"])]
    assert client.counts["unsent"] == 1


@pytest.mark.parametrize(("refused", "said"), [(MAX_REFUSALS, [MAX_REFUSALS]), (MAX_REFUSALS - 1, [])])
async def test_a_full_page_of_refusals_is_confirmed_at_once(client, refused, said):
    """Of a full page the worker hears at once that it was seen, and tells the next one; of others a tick is enough."""
    client.start()
    client.told(0)
    places = client.submit(*[b"x"] * refused)
    client.said(LinkState)
    client.told(refused, refusals=[Refusal(n + 1, 1, "AgentNotFound", {"agent": f"{n}"}) for n in range(refused)])

    assert [state.refusals_seen for state in client.said(LinkState)] == said
    assert set(client.results(places)) == {AgentNotFound}
