"""Both directions of a link in one state."""

import pytest

from caxton.errors import QueueFull
from caxton.links.incoming import Incoming
from caxton.links.link import Link
from caxton.links.outgoing import Outgoing
from caxton.wire.link_state import MAX_FULL

MARK = bytes(16)


@pytest.fixture
def pair():
    """Two workers' ends of one link."""
    return [
        Link(Outgoing(credit_messages=None, credit_bytes=None), Incoming(window_messages=None, window_bytes=None))
        for _ in range(2)
    ]


def tell(source, target, full=()):
    return target.on_state(source.state(1, MARK, 2, list(full)))


def test_states_are_numbered_from_one(pair):
    """A newer state is known by its number."""
    assert [pair[0].state(1, MARK, 2, []).number for _ in range(3)] == [1, 2, 3]


def test_a_new_link_has_nothing_to_say(pair):
    """Silence costs no frames."""
    assert not any(link.changed or link.open for link in pair)


def test_a_message_opens_the_link_until_its_acknowledgement_came(pair):
    """One state of the target closes it again on both sides."""
    one, two = pair
    one.outgoing.emit(1, 5)
    assert one.open
    two.incoming.take(1, 1, 5)
    two.incoming.place(1, 5)
    assert two.changed
    assert tell(two, one).acknowledged == 1
    assert not any(link.changed or link.open for link in pair)


def test_a_lost_acknowledgement_is_told_again_when_the_source_still_waits(pair):
    """The source repeats its state, the target answers once, and both are quiet."""
    one, two = pair
    one.outgoing.emit(1, 5)
    two.incoming.take(1, 1, 5)
    two.incoming.place(1, 5)
    two.state(2, MARK, 1, [])  # is lost
    assert not two.open
    tell(one, two)
    assert two.open
    tell(two, one)
    assert not any(link.changed or link.open for link in pair)


def test_a_lost_confirmation_of_refusals_is_told_again(pair):
    """The target repeats refusals until it hears that they were seen."""
    one, two = pair
    one.outgoing.emit(1, 0)
    two.incoming.take(1, 1, 0)
    two.incoming.refuse(1, QueueFull("a", 1, 1))
    two.incoming.place(1, 0)
    assert len(tell(two, one).refusals) == 1
    one.state(1, MARK, 2, [])  # is lost
    assert not one.changed
    assert two.open
    assert tell(two, one).refusals == []
    assert one.changed
    tell(one, two)
    assert not any(link.changed or link.open for link in pair)


def test_agents_without_room_are_those_of_the_newest_state(pair):
    """And as long as there are any, the side that waits for room asks, and is answered."""
    one, two = pair
    one.outgoing.emit(1, 0)
    two.incoming.take(1, 1, 0)
    two.incoming.place(1, 0)
    two.announce()
    assert two.changed
    older = two.state(2, MARK, 1, [4])
    tell(two, one, [5, 6])
    one.on_state(older)
    assert one.full == {5, 6}
    assert one.open
    two.state(2, MARK, 1, [])  # room again, but it is lost
    tell(one, two)
    assert two.open
    tell(two, one)
    assert not one.full
    assert not any(link.open for link in pair)


def test_no_more_agents_are_announced_than_a_state_carries(pair):
    """The messages to the others are refused one by one."""
    one, _ = pair
    one.incoming.take(1, 1, 5)
    assert len(one.state(1, MARK, 2, list(range(1, 10_000))).full) == MAX_FULL


def test_who_has_sent_nothing_is_told_of_no_agent_without_room(pair):
    """It could not ask again for the word that there is room, should that be lost."""
    one, two = pair
    tell(two, one, full=[5])
    assert not one.full
    two.incoming.take(1, 1, 5)
    assert two.state(2, MARK, 1, [5]).full == [5]


def test_who_has_no_credit_left_asks_until_it_has(pair):
    """All it sent is acknowledged, but the other was held back: the word that gives more may have been lost."""
    source = Link(Outgoing(), pair[0].incoming)
    target = Link(Outgoing(), Incoming(window_messages=0, window_bytes=1 << 20))
    source.outgoing.emit(64, 0)
    target.incoming.take(1, 64, 0)
    target.incoming.place(64, 0)
    tell(target, source)
    assert (source.outgoing.outstanding, source.outgoing.room()) == (0, 0)
    target.incoming.window_messages = 100
    target.announce()
    target.state(2, MARK, 1, [])  # there is credit again, and it is lost

    assert source.open
    tell(source, target)
    assert target.open
    tell(target, source)
    assert source.outgoing.room() == 100
    assert not source.open


def test_an_absurd_state_has_no_effect_at_all(pair, state):
    """Neither on what was sent nor on what was received, nor on who has room."""
    one, _ = pair
    assert one.on_state(state(1, taken=1, full=[7], emitted=9)) is None
    assert (one.absurd, one.full, one.incoming.missing) == (1, frozenset(), 0)
    one.on_state(state(2, refusals_seen=1))
    assert one.absurd == 2


def test_two_ends_that_wait_for_each_other_do_not_answer_answers(pair):
    """An answer goes with the next repetition, so that two who both wait cannot keep each other busy."""
    one, two = pair
    for source, target in (pair, reversed(pair)):
        source.outgoing.emit(5, 0)
        target.incoming.take(1, 5, 0)
    for source, target in (pair, reversed(pair)):
        tell(source, target)
    assert not one.changed
    assert not two.changed
    assert one.open
    assert two.open
