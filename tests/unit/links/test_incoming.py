"""The target's side of a link, by example."""

import pytest

from caxton.errors import QueueFull
from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES, UNLIMITED
from caxton.links.incoming import Incoming
from caxton.links.refusals import CREDIT_STOPS, is_loss

FULL = QueueFull("a", 1, 1)


@pytest.fixture
def incoming():
    """From a worker: unlimited."""
    return Incoming(window_messages=None, window_bytes=None)


@pytest.fixture
def held():
    """From a client: held back."""
    return Incoming(window_messages=1_000, window_bytes=16 << 20)


def test_a_frame_in_sequence_is_taken_whole(incoming):
    """Nothing is skipped and nothing is missing."""
    assert incoming.take(1, 10, 100) == (0, 0, False, False)
    assert incoming.take(11, 1, 100) == (0, 0, False, False)
    assert incoming.taken == 11
    assert incoming.changed


def test_a_frame_that_comes_again_is_skipped(incoming):
    """All of it, or the part that was taken."""
    incoming.take(1, 10, 100)
    assert incoming.take(1, 10, 100).skip == 10
    assert incoming.take(3, 2, 100).skip == 2
    assert incoming.take(8, 5, 100) == (3, 0, False, False)
    assert incoming.taken == 12
    incoming.place(12, 300)
    assert incoming.state_fields().taken == 12


def test_what_a_frame_overtook_is_reported_as_lost_and_then_skipped(incoming):
    """The source hears NetworkError for those messages, and none of them is taken any more."""
    incoming.take(1, 2, 0)
    assert incoming.take(6, 1, 0) == (0, 3, False, False)
    [lost] = incoming.state_fields().refusals
    assert (lost.sequence, lost.count, lost.error) == (3, 3, "NetworkError")
    assert is_loss(lost)
    assert incoming.take(3, 3, 0).skip == 3


def test_nothing_is_acknowledged_before_it_is_placed(incoming):
    """What waits between two losses holds back the acknowledgement of both sides of it."""
    incoming.take(1, 4, 0)
    incoming.take(11, 4, 0)  # 5 to 10 lost
    incoming.take(21, 4, 0)  # 15 to 20 lost
    told = []
    for count in (0, 3, 1, 3, 2, 3):
        incoming.place(count, 0)
        told.append(incoming.state_fields().taken)
    assert told == [0, 3, 10, 13, 21, 24]


def test_two_losses_are_passed_by_one_placing(incoming):
    """The rest of what is placed counts behind the second loss."""
    incoming.take(2, 2, 0)
    incoming.take(5, 2, 0)
    incoming.take(9, 3, 0)
    incoming.place(5, 0)
    assert incoming.state_fields().taken == 9


def test_credit_opens_from_64_messages_by_what_is_placed_up_to_the_window(held):
    """The window doubles with every round trip."""
    assert held.state_fields()[1:3] == (FIRST_MESSAGES, FIRST_BYTES)
    windows = []
    for _ in range(5):
        count = held.state_fields().credit_messages - held.taken
        held.take(held.taken + 1, count, 0)
        held.place(count, 0)
        windows.append(held.state_fields().credit_messages - held.taken)
    assert windows == [128, 256, 512, 1_000, 1_000]


def test_byte_credit_opens_as_bytes_are_placed(held):
    """One mebibyte placed lets the source run two mebibytes ahead."""
    held.take(1, 1, FIRST_BYTES)
    assert held.state_fields().credit_bytes == FIRST_BYTES
    held.place(1, FIRST_BYTES)
    assert held.state_fields().credit_bytes == 3 * FIRST_BYTES


def test_a_smaller_window_takes_no_credit_back(held):
    """The pool may be shared anew at any time; what was given is given."""
    held.take(1, 64, 0)
    held.place(64, 0)
    before = held.state_fields()
    held.window_messages = 1
    held.window_bytes = 1
    after = held.state_fields()
    assert (before.credit_messages, before.credit_bytes) == (after.credit_messages, after.credit_bytes)


def test_a_frame_over_its_credit_is_not_taken(held):
    """Neither by messages nor by bytes, and the link is as it was."""
    assert held.take(1, 65, 0).over_credit
    assert held.take(1 << 63, 1, 0).over_credit
    held.take(1, 1, 10)
    assert held.take(2, 1, FIRST_BYTES).over_credit
    assert held.taken == 1
    assert held.state_fields().refusals == []


def test_one_frame_may_exceed_the_byte_credit_when_all_before_it_is_acknowledged(held):
    """The rule of the source, seen from here."""
    assert not held.take(1, 1, 9_000_000).over_credit
    assert held.take(2, 1, 1).over_credit
    held.place(1, 9_000_000)
    held.state_fields()
    assert not held.take(2, 1, 9_000_000).over_credit


def test_while_too_many_refusals_wait_no_further_credit_is_given(held, state):
    """And it is given once the source has seen enough of them."""
    held.window_messages = 100_000
    while len(held._refusals) <= CREDIT_STOPS:
        count = held.state_fields().credit_messages - held.taken
        held.take(held.taken + 1, count, 0)
        for sequence in range(held.taken - count + 1, held.taken + 1):
            held.refuse(sequence, QueueFull(str(sequence), 1, 1))
        held.place(count, 0)
    stopped = held.state_fields()
    assert held.state_fields().credit_messages == stopped.credit_messages
    assert held.taken == stopped.credit_messages
    held.confirm(state(1, refusals_seen=256))
    assert held.changed
    while len(held._refusals) > CREDIT_STOPS:
        held.confirm(state(1, refusals_seen=held.state_fields().refusals_from + 256))
    assert held.state_fields().credit_messages > stopped.credit_messages


def test_a_refused_message_is_not_passed_for_placed(incoming, state):
    """The acknowledgement stays before the first refusal that did not fit in the state."""
    incoming.take(1, 600, 0)
    for sequence in range(2, 601, 2):
        incoming.refuse(sequence, QueueFull(str(sequence), 1, 1))
    incoming.place(600, 0)
    told = incoming.state_fields()
    assert (told.taken, len(told.refusals), told.refusals_from) == (513, 256, 0)
    incoming.confirm(state(1, refusals_seen=256))
    told = incoming.state_fields()
    assert (told.taken, len(told.refusals), told.refusals_from) == (600, 44, 256)
    incoming.confirm(state(2, refusals_seen=300))
    assert not incoming.open


def test_a_refusal_after_the_acknowledgement_is_handed_back(incoming):
    """The source was told that the message was placed; only a failure can reach it now."""
    incoming.take(1, 2, 0)
    incoming.place(1, 0)
    incoming.state_fields()
    assert not incoming.refuse(1, FULL)
    assert incoming.refuse(2, FULL)
    assert [r.sequence for r in incoming.state_fields().refusals] == [2]


def test_what_was_not_taken_is_neither_refused_nor_placed(incoming):
    """A mistake of the caller names itself."""
    incoming.take(1, 2, 0)
    with pytest.raises(ValueError, match="sequence 3 was not taken"):
        incoming.refuse(3, FULL)
    with pytest.raises(ValueError, match="3 messages placed, and 2"):
        incoming.place(3, 0)


def test_claims_that_cannot_be_are_counted_and_ignored(held, state):
    """Nobody has seen refusals that were not told, or emitted beyond his credit."""
    held.take(1, 1, 0)
    held.refuse(1, FULL)
    held.confirm(state(1, refusals_seen=1))
    held.confirm(state(2, emitted=65))
    assert held.absurd == 2
    assert held.missing == 0
    assert len(held.state_fields().refusals) == 1


def test_a_source_that_waits_gets_an_answer_once(incoming, state):
    """The state in which it was told everything may have been lost, so it is told again."""
    incoming.take(1, 1, 0)
    incoming.place(1, 0)
    incoming.state_fields()
    assert not incoming.open
    incoming.confirm(state(1, emitted=1))
    assert incoming.open
    incoming.state_fields()
    assert not incoming.open


def test_a_source_whose_messages_are_not_placed_yet_is_told_again_and_again(incoming, state):
    """It has outstanding messages, so the link stays open until they are acknowledged."""
    incoming.take(1, 5, 0)
    incoming.confirm(state(1, emitted=5))
    incoming.place(3, 0)
    assert incoming.state_fields().taken == 3
    assert incoming.open
    incoming.place(2, 0)
    assert incoming.state_fields().taken == 5
    assert not incoming.open


def test_what_has_not_come_before_the_word_how_far_it_went_is_lost(incoming, state):
    """However often the source claims what it emitted: only its word by the way of the data tells of a loss."""
    incoming.take(1, 1, 0)
    incoming.place(1, 0)
    for number in range(1, 30):
        incoming.confirm(state(number, emitted=5))
    assert incoming.missing == 4
    assert incoming.open
    assert incoming.take(2, 0, 0) == (0, 0, False, False)
    assert incoming.take(6, 0, 0).lost == 4
    assert incoming.take(6, 0, 0).lost == 0
    told = incoming.state_fields()
    assert told.taken == 5
    assert [(r.sequence, r.count) for r in told.refusals] == [(2, 4)]
    assert incoming.take(2, 4, 0).skip == 4


def test_unlimited_credit_says_so(incoming):
    """The numbers told to a worker are beyond any that it could reach."""
    assert incoming.state_fields()[1:3] == (UNLIMITED, UNLIMITED)
    assert not incoming.take(1, 256, 1 << 40).over_credit
