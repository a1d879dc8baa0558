"""The target's side of the durable lane, by example."""

import pytest

from caxton.errors import InvalidMessageFormat, QueueFull
from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES, UNLIMITED
from caxton.links.durable import DurableIncoming
from caxton.links.durable_incoming import MOST_KEPT

FULL = QueueFull("a", 1, 1)


def incoming_of(taken=0, refusals=None, window=None, window_bytes=None):
    return DurableIncoming(taken=taken, refusals=refusals, window_messages=window, window_bytes=window_bytes)


@pytest.fixture
def incoming():
    """From a worker: unlimited."""
    return incoming_of()


@pytest.fixture
def held():
    """From a client: held back."""
    return incoming_of(window=1_000, window_bytes=16 << 20)


def seen(fields):
    return [(r.sequence, r.count) for r in fields.refusals]


def test_frames_in_sequence_are_taken_once(incoming):
    """Again, they are skipped, whole or in part."""
    assert incoming.take(1, 10, 100) == (0, 0, False, False)
    assert incoming.take(1, 10, 100) == (10, 0, False, False)
    assert incoming.take(8, 5, 50) == (3, 0, False, False)
    assert (incoming.taken, incoming.counted_bytes, incoming.hello_due) == (12, 150, False)


def test_a_frame_after_a_gap_is_left_and_a_hello_is_due(incoming):
    """Nothing is skipped, nothing is lost: the source is to send from there again."""
    incoming.take(1, 2, 0)
    assert incoming.take(4, 3, 0) == (3, 0, False, True)
    assert (incoming.taken, incoming.hello_due) == (2, True)
    incoming.hello_said()
    assert not incoming.take(3, 1, 0).gap
    assert incoming.take(4, 3, 0) == (0, 0, False, False)
    assert incoming.taken == 6


def test_one_hello_is_enough_for_all_frames_behind_one_gap(incoming):
    """Otherwise every frame that is still under way would make the source begin again."""
    incoming.take(2, 1, 0)
    incoming.hello_said()
    incoming.take(3, 1, 0)
    assert not incoming.hello_due
    incoming.take(1, 1, 0)
    incoming.take(5, 1, 0)
    assert incoming.hello_due


def test_a_hello_that_was_lost_is_due_again_when_the_source_is_found_waiting(incoming, state):
    """The way of the data is empty, and the source waits."""
    incoming.take(2, 1, 0)
    incoming.hello_said()
    for number in range(1, 4):
        incoming.confirm(state(number, emitted=2))
    assert incoming.stalled == 2
    incoming.ask_for_missing()
    assert (incoming.hello_due, incoming.stalled, incoming.taken) == (True, 0, 0)


def test_nothing_is_asked_for_while_nothing_is_missing(incoming, state):
    """Whoever has all needs no hello."""
    incoming.take(1, 2, 0)
    incoming.confirm(state(1, emitted=2))
    incoming.ask_for_missing()
    assert not incoming.hello_due


def test_nothing_is_acknowledged_or_refused_before_it_is_committed(incoming):
    """A kill would take it back."""
    incoming.take(1, 4, 0)
    incoming.refuse(2, FULL)
    assert incoming.state_fields()[0] == 0
    assert seen(incoming.state_fields()) == []
    incoming.stored_refusals()
    assert seen(incoming.state_fields()) == []
    incoming.place(4, 0)
    told = incoming.state_fields()
    assert (told.taken, seen(told)) == (4, [(2, 1)])


def test_what_a_commit_does_not_say_cannot_be_refused_any_more(incoming):
    """Only a failure can tell of its end; what was never taken is a mistake that names itself."""
    incoming.take(1, 2, 0)
    incoming.stored_refusals()
    incoming.take(3, 2, 0)
    assert not incoming.refuse(2, FULL)
    assert incoming.refuse(3, FULL)
    incoming.place(3, 0)
    assert not incoming.refuse(3, FULL)
    with pytest.raises(ValueError, match="sequence 5 was not taken"):
        incoming.refuse(5, FULL)


def test_a_successor_tells_the_refusals_again_and_acknowledges_none_of_them_before(incoming):
    """Until the source has seen them, under the same numbers."""
    incoming.take(1, 600, 0)
    for sequence in range(2, 601, 2):
        incoming.refuse(sequence, QueueFull(str(sequence), 1, 1))
    stored = incoming.stored_refusals()
    incoming.place(600, 0)
    incoming.state_fields()
    successor = incoming_of(600, stored)
    assert successor.changed
    assert successor.open
    told = successor.state_fields()
    assert (told.taken, len(told.refusals), told.refusals_from) == (513, 256, 0)


def test_a_successor_understands_what_the_source_confirmed_to_its_predecessor(incoming, state):
    """Though it has told nothing itself."""
    incoming.take(1, 3, 0)
    incoming.refuse(1, FULL)
    incoming.refuse(3, FULL)
    successor = incoming_of(3, incoming.stored_refusals())
    successor.confirm(state(1, refusals_seen=2))
    assert (successor.absurd, successor.refusals_waiting) == (0, 0)
    assert successor.state_fields()[0:4] == (3, UNLIMITED, UNLIMITED, 2)
    third = incoming_of(3, successor.stored_refusals())
    assert third.state_fields().refusals_from == 2


def test_everything_that_a_predecessor_took_counts_as_placed():
    """It was committed, so it is acknowledged, and the source may go 64 messages and one mebibyte beyond it."""
    incoming = incoming_of(1_000, window=500, window_bytes=16 << 20)
    told = incoming.state_fields()
    assert (told.taken, told.credit_messages, told.credit_bytes) == (1_000, 1_000 + FIRST_MESSAGES, FIRST_BYTES)
    windows = []
    for _ in range(5):
        count = incoming.state_fields().credit_messages - incoming.taken
        incoming.take(incoming.taken + 1, count, 0)
        incoming.place(count, 0)
        windows.append(incoming.state_fields().credit_messages - incoming.taken)
    assert windows == [128, 256, 500, 500, 500]


def test_a_frame_over_its_credit_is_not_taken_and_a_hello_says_how_we_count(held):
    """A source that counts as we do does not send it again too early."""
    held.take(1, 1, 10)
    assert held.take(2, 1, FIRST_BYTES).over_credit
    assert (held.taken, held.counted_bytes, held.hello_due) == (1, 10, True)
    held.hello_said()
    assert held.take(2, 64, 0).over_credit
    assert not held.hello_due


def test_another_incarnation_of_the_source_begins_with_the_first_credit(held, state):
    """Beyond what its predecessor sent, whatever of this is placed; and nothing is claimed of it."""
    held.take(1, 64, FIRST_BYTES)
    held.confirm(state(1, emitted=64))
    assert held.take(65, 1, 1).over_credit
    held.meet()
    assert (held.missing, held.stalled, held.hello_due) == (0, 0, False)
    assert not held.take(65, 64, FIRST_BYTES).over_credit
    assert held.take(129, 1, 0).over_credit


def test_while_it_is_closed_nothing_is_taken_and_then_it_is_asked_for(held):
    """The source is told why, and sends again what was left."""
    held.take(1, 1, 0)
    held.state_fields()
    held.closed = "the disk is full"
    assert held.changed
    assert held.state_fields().closed == "the disk is full"
    assert held.take(2, 3, 0) == (3, 0, False, True)
    assert held.take(1, 1, 0) == (1, 0, False, False)
    assert held.take(3, 4, 0) == (4, 0, False, True)
    held.ask_for_missing()
    assert (held.taken, held.hello_due) == (1, False)
    held.closed = ""
    assert held.hello_due
    assert held.state_fields().closed == ""
    assert not held.take(2, 3, 0).gap


def test_while_too_many_refusals_wait_nothing_is_taken(incoming, state):
    """None is ever left out, so there must be an end to them; then the source is asked to go on."""
    incoming.take(1, 2 * MOST_KEPT + 4, 0)
    for sequence in range(1, incoming.taken, 2):
        incoming.refuse(sequence, FULL)
    incoming.stored_refusals()
    incoming.place(incoming.taken, 0)
    incoming.state_fields()
    assert incoming.take(incoming.taken + 1, 1, 0).gap
    assert not incoming.hello_due
    incoming.confirm(state(1, refusals_seen=256))
    assert incoming.hello_due
    assert not incoming.take(incoming.taken + 1, 1, 0).gap


def test_what_is_placed_is_named_by_its_last_sequence_where_no_bytes_count(incoming):
    """As an application reads its inbox; an earlier sequence changes nothing."""
    incoming.take(1, 9, 0)
    incoming.place_to(4)
    incoming.place_to(3)
    assert (incoming.placed, incoming.state_fields().taken) == (4, 4)
    with pytest.raises(ValueError, match="6 messages placed, and 5"):
        incoming.place_to(10)


def test_whoever_left_frames_himself_lets_a_hello_be_due(incoming):
    """His inbox had no room for them."""
    incoming.ask()
    assert incoming.hello_due


@pytest.mark.parametrize("stored", [b"", b"\x02\x92\x00\x90", b"\x01", b"\x01\x92\xff\x90", b"\x01garbage"])
def test_refusals_of_another_version_or_damaged_are_no_refusals(stored):
    """Nobody guesses at them."""
    with pytest.raises(InvalidMessageFormat, match="kept refusals"):
        incoming_of(1, stored)
