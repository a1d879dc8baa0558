"""Room for what bidders answer: how much there is, of whom, and what becomes of an answer without it."""

import asyncio

import pytest

from caxton.acl.message import Message
from caxton.client.interactions.bids import Bids, CallsForProposals
from caxton.client.routes.bid_room import MOST_BID_BYTES, BidRoom
from caxton.errors import NetworkError, ResourceExhausted

MOST = 10


def said(size, performative="propose"):
    return Message(5, b"x" * size, performative=performative, language="json")


@pytest.fixture
def refused():
    return []


@pytest.fixture
def room(refused):
    return BidRoom(MOST, refused=lambda: refused.append("own"))


def test_so_many_bytes_and_no_more(room, refused):
    """The last byte fits; one that does not leaves all as it was."""
    assert room.take(MOST - 1)
    assert not room.take(2)
    assert (room.held, refused) == (MOST - 1, ["own"])
    assert room.take(1)
    assert not room.take(1)
    room.give_back(MOST)
    assert room.take(MOST)


def test_a_client_has_so_much_room():
    """Unless it is told otherwise."""
    room = BidRoom()
    assert room.take(MOST_BID_BYTES)
    assert not room.take(1)


def test_a_part_has_no_more_room_than_the_whole(refused):
    """Whichever of the two is full says so; what one of them refuses is in neither."""
    whole = BidRoom(MOST, refused=lambda: refused.append("whole"))
    one, other = (BidRoom(MOST - 1, whole, lambda: refused.append("part")) for _ in range(2))
    assert one.take(MOST - 1)
    assert not one.take(1)
    assert not other.take(2)
    assert ((whole.held, one.held, other.held), refused) == ((MOST - 1, MOST - 1, 0), ["part", "whole"])
    one.give_back(MOST - 1)
    assert other.take(MOST - 1)
    assert (whole.held, other.held) == (MOST - 1, MOST - 1)


def test_an_answer_without_room_is_an_error(room):
    """Whatever it says; of proposals it is known whose they were, and nothing of what they said is kept."""
    with Bids(room) as bids:
        first = said(MOST - 1)
        assert bids.admitted(first) is first
        for without_room in (said(2), said(3, "refuse")):
            error = bids.admitted(without_room)
            assert isinstance(error, ResourceExhausted)
            assert error.limit == MOST
        assert [(one.performative.act, one.content, one.language) for one in bids.turned_away] == [
            ("propose", b"", "json")
        ]
        assert room.held == MOST - 1
    assert room.held == 0


def test_the_error_has_the_limit_that_was_met():
    """The room's own, or that of the whole where this one has room."""
    whole = BidRoom(MOST)
    with Bids(BidRoom(MOST - 1, whole)) as bids, Bids(BidRoom(MOST - 1, whole)) as others:
        assert bids.admitted(said(MOST)).limit == MOST - 1
        bids.admitted(said(MOST - 1))
        assert others.admitted(said(2)).limit == MOST


def test_an_error_takes_no_room(room):
    """Who did not answer is told as ever."""
    error = NetworkError("shard 0", "gone")
    with Bids(room) as bids:
        assert bids.admitted(error) is error
    assert room.held == 0


def test_room_is_given_back_when_a_negotiation_fails(room):
    """However it ends."""

    def negotiate():
        with Bids(room) as bids:
            bids.admitted(said(MOST))
            raise KeyError

    with pytest.raises(KeyError):
        negotiate()
    assert room.held == 0


async def test_a_call_has_one_answer(room):
    """A second one to the same call takes no room."""
    with Bids(room) as bids:
        calls = CallsForProposals(2, "request", 60.0, asyncio.get_running_loop(), bids)
        calls.end(0, said(4))
        calls.end(0, said(4))
        assert room.held == 4
        calls.end(1, said(MOST))
        assert calls.done.done()
        assert isinstance(calls.results[1], ResourceExhausted)
