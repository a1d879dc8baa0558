"""The source's side of the durable lane, by example."""

import pytest

from caxton.errors import AgentNotFound, to_fields
from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES, UNLIMITED
from caxton.links.durable import DurableOutgoing
from caxton.wire.link_state import Refusal


def refusal(sequence, count=1):
    return Refusal(sequence, count, "AgentNotFound", to_fields(AgentNotFound("a")))


@pytest.fixture
def outgoing():
    """Of a client that was greeted by a target that has nothing of it yet."""
    made = DurableOutgoing()
    assert made.greet(0, 0)
    return made


def go(outgoing, count, size=0):
    first = outgoing.emit(count, size)
    outgoing.went(outgoing.emitted, size)
    return first


def test_nothing_goes_before_the_target_has_greeted_us():
    """But it may be numbered: a worker stores it, and it goes later."""
    outgoing = DurableOutgoing(credit_messages=None, credit_bytes=None)
    assert outgoing.emit(3, 10) == 1
    assert (outgoing.room(), outgoing.fits(0), outgoing.sent, outgoing.claimed) == (0, False, 0, 0)
    with pytest.raises(ValueError, match="greeted: False"):
        outgoing.went(3, 10)
    assert outgoing.greet(0, 0)
    outgoing.went(3, 10)
    assert (outgoing.sent, outgoing.claimed) == (3, 3)
    assert outgoing.open


@pytest.mark.parametrize("last", [0, 2, 5])
def test_only_what_is_numbered_and_comes_next_went(outgoing, last):
    """A mistake of the caller names itself."""
    go(outgoing, 2)
    outgoing.emit(2, 0)
    with pytest.raises(ValueError, match="after 2 of 4"):
        outgoing.went(last, 0)


def test_a_successor_of_the_target_says_where_to_go_on(outgoing, state):
    """What it did not take goes again, from 64 messages and one mebibyte of credit on."""
    outgoing.settle(state(1, credit_messages=5_000, credit_bytes=50 << 20))
    for _ in range(10):
        go(outgoing, 10, 100_000)
    outgoing.settle(state(2, taken=30))
    outgoing.meet()
    assert (outgoing.room(), outgoing.acknowledged, outgoing.sent, outgoing.claimed) == (0, 30, 30, 0)
    assert outgoing.greet(40, 0)
    assert (outgoing.sent, outgoing.acknowledged, outgoing.room()) == (40, 30, FIRST_MESSAGES)
    assert outgoing.fits(FIRST_BYTES)
    assert not outgoing.fits(FIRST_BYTES + 1)
    outgoing.went(50, 100_000)
    assert not outgoing.fits(FIRST_BYTES)


def test_states_of_a_successor_are_numbered_from_one_again(outgoing, state):
    """Its first state counts, though the predecessor's had a higher number."""
    go(outgoing, 10)
    outgoing.settle(state(7, taken=4, closed="no room"))
    outgoing.meet()
    assert outgoing.closed == ""
    outgoing.greet(4, 0)
    assert outgoing.settle(state(1, taken=6)).acknowledged == 6


def test_a_hello_of_the_same_incarnation_gives_no_credit(outgoing):
    """It only says from where on to send again: otherwise whoever asked twice would be over his credit."""
    go(outgoing, 64, 5)
    assert outgoing.greet(20, 3)
    assert (outgoing.sent, outgoing.room()) == (20, 44)
    assert outgoing.fits(FIRST_BYTES - 3)
    assert not outgoing.fits(FIRST_BYTES - 2)


def test_without_credit_nothing_holds_back_after_the_greeting():
    """Workers send to workers whatever they have, also after the target's restart."""
    outgoing = DurableOutgoing(emitted=500, acknowledged=20, credit_messages=None, credit_bytes=None)
    for _ in range(2):
        assert outgoing.greet(20, 0)
        assert outgoing.room() == UNLIMITED
        assert outgoing.fits(1 << 40)
        outgoing.meet()


@pytest.mark.parametrize(("taken", "absurd"), [(19, 1), (101, 1)])
def test_a_greeting_that_cannot_be_is_counted(taken, absurd):
    """A target that lost what it acknowledged, or took what was never numbered, has not the file that we know."""
    outgoing = DurableOutgoing(emitted=100, acknowledged=20)
    assert not outgoing.greet(taken, 0)
    assert (outgoing.greeted, outgoing.absurd) == (False, absurd)


def test_an_old_hello_that_an_acknowledgement_overtook_changes_nothing(outgoing, state):
    """It is late, not absurd."""
    go(outgoing, 10)
    outgoing.settle(state(1, taken=8))
    assert not outgoing.greet(5, 0)
    assert (outgoing.sent, outgoing.absurd) == (10, 0)


def test_what_a_late_hello_let_seem_unsent_need_not_go_again_once_it_is_acknowledged(outgoing, state):
    """And its bytes count, for the target has counted them."""
    for _ in range(4):
        go(outgoing, 1, 200_000)
    assert outgoing.greet(1, 200_000)
    assert outgoing.settle(state(1, taken=3)).acknowledged == 3
    assert (outgoing.sent, outgoing.acknowledged) == (3, 3)
    outgoing.went(4, 200_000)
    assert outgoing.fits(FIRST_BYTES - 800_000)
    assert not outgoing.fits(FIRST_BYTES - 800_000 + 1)


def test_a_frame_beyond_the_byte_credit_fits_only_when_all_that_went_is_acknowledged(outgoing, state):
    """The largest message goes alone, and is waited for; also the second time."""
    go(outgoing, 1, 10_000_000)
    assert not outgoing.fits(1)
    outgoing.meet()
    outgoing.greet(0, 0)
    assert outgoing.fits(10_000_000)
    outgoing.went(1, 10_000_000)
    outgoing.settle(state(1, taken=1))
    assert outgoing.fits(10_000_000)


def test_states_before_the_greeting_are_overheard(state):
    """They change nothing, but whoever tells them waits for our hello."""
    outgoing = DurableOutgoing(emitted=5)
    assert outgoing.settle(state(1, taken=5)) is None
    assert (outgoing.overheard, outgoing.acknowledged, outgoing.absurd) == (True, 0, 0)
    outgoing.meet()
    assert not outgoing.overheard


def test_a_successor_that_tells_less_than_its_predecessor_takes_nothing_back(outgoing, state):
    """It repeats refusals from the first that its file has, and its acknowledgement with them."""
    go(outgoing, 10)
    outgoing.settle(state(1, taken=10, refusals=[refusal(2), refusal(6)]))
    outgoing.meet()
    outgoing.greet(10, 0)
    assert outgoing.settle(state(1, taken=5, refusals=[refusal(2)])) == (10, [])
    assert (outgoing.acknowledged, outgoing.refusals_seen, outgoing.absurd) == (10, 2, 0)


@pytest.mark.parametrize(
    "claim",
    [
        {"taken": 11},
        {"taken": 10, "refusals": [refusal(10, 2)]},
        {"taken": 10, "refusals": [refusal(5)]},
        {"taken": 10, "refusals": [refusal(8), refusal(7)]},
        {"taken": 10, "refusals": [refusal(7), refusal(7)]},
        {"taken": 7, "refusals": [refusal(8)]},
        {"taken": 10, "refusals_from": 2, "refusals": [refusal(6)]},
    ],
    ids=["never emitted", "refused beyond", "settled", "not in order", "twice", "not settled with it", "skipped"],
)
def test_an_absurd_state_is_counted_and_changes_nothing(outgoing, state, claim):
    """Nobody settles what was not emitted, or the same sequence twice, or tells of refusals that he may take back."""
    go(outgoing, 10)
    outgoing.settle(state(1, taken=5, refusals=[refusal(4)]))
    assert outgoing.settle(state(2, credit_messages=10_000, closed="x", **({"refusals_from": 1} | claim))) is None
    assert (outgoing.absurd, outgoing.acknowledged, outgoing.refusals_seen) == (1, 5, 1)
    assert (outgoing.room(), outgoing.closed) == (54, "")
    assert outgoing.settle(state(2, taken=6)).acknowledged == 6


def test_the_target_says_why_it_takes_nothing_and_when_it_does_again(outgoing, state):
    """In its newest state."""
    outgoing.settle(state(1, closed="the disk is full"))
    assert outgoing.closed == "the disk is full"
    outgoing.settle(state(2))
    assert outgoing.closed == ""


def test_refusals_are_seen_when_what_follows_from_them_is_stored(state):
    """Told before, the target would forget them, and a kill would make them acknowledgements."""
    outgoing = DurableOutgoing(emitted=10, credit_messages=None, credit_bytes=None, stored=True)
    outgoing.greet(10, 0)
    outgoing.settle(state(1, taken=4, refusals=[refusal(2), refusal(4)]))
    first = outgoing.refusals_heard
    outgoing.settle(state(2, taken=9, refusals=[refusal(2), refusal(4), refusal(9)]))
    assert (first, outgoing.refusals_heard, outgoing.refusals_seen) == (2, 3, 0)
    outgoing.keep(first)
    assert outgoing.refusals_seen == 2
    outgoing.keep(first - 1)
    outgoing.keep(99)
    assert outgoing.refusals_seen == 3


def test_a_new_life_hears_of_refusals_that_its_predecessor_has_settled_and_passes_over_them(state):
    """Those that its file does not know are news, and the count goes on where the target stands."""
    outgoing = DurableOutgoing(emitted=20, acknowledged=10, stored=True)
    outgoing.greet(20, 0)
    told = [refusal(4), refusal(10), refusal(13, 2)]
    assert outgoing.settle(state(1, taken=15, refusals_from=7, refusals=told)) == (15, [refusal(13, 2)])
    assert (outgoing.refusals_heard, outgoing.refusals_seen, outgoing.absurd) == (10, 7, 0)
    outgoing.keep(10)
    more = [refusal(9), refusal(18)]
    assert outgoing.settle(state(2, taken=20, refusals_from=10, refusals=more)) == (20, [refusal(18)])
