"""The source's side of a link, by example."""

import pytest

from caxton.errors import AgentNotFound, to_fields
from caxton.links.credit import FIRST_BYTES, FIRST_MESSAGES, UNLIMITED
from caxton.links.incoming import Incoming
from caxton.links.outgoing import Outgoing
from caxton.wire.link_state import Refusal


def refusal(sequence, count=1):
    return Refusal(sequence, count, "AgentNotFound", to_fields(AgentNotFound("a")))


def test_sequences_count_from_one_and_never_leave_a_hole():
    """A frame's messages follow those of the frame before."""
    outgoing = Outgoing()
    assert [outgoing.emit(3, 0), outgoing.emit(1, 0), outgoing.emit(60, 0)] == [1, 4, 5]
    assert outgoing.emitted == outgoing.outstanding == 64
    assert outgoing.open


def test_the_first_credit_is_64_messages_and_one_mebibyte():
    """A source that has heard nothing may send that much and no more."""
    outgoing = Outgoing()
    assert outgoing.room() == FIRST_MESSAGES == 64
    outgoing.emit(64, FIRST_BYTES)
    assert outgoing.room() == 0
    assert not outgoing.fits(1)
    assert outgoing.fits(0)


def test_a_frame_beyond_the_byte_credit_fits_only_when_nothing_is_outstanding(state):
    """The largest message goes alone, and is waited for."""
    outgoing = Outgoing()
    assert outgoing.fits(10_000_000)
    outgoing.emit(1, 10_000_000)
    assert not outgoing.fits(1)
    outgoing.settle(state(1, taken=1, credit_messages=65))
    assert outgoing.fits(10_000_000)


def test_credit_moves_with_the_target_and_never_back(state):
    """A newer state with less credit than an older one takes nothing away."""
    outgoing = Outgoing()
    outgoing.settle(state(1, credit_messages=500, credit_bytes=5 << 20))
    outgoing.settle(state(2, credit_messages=100, credit_bytes=1))
    assert outgoing.room() == 500
    outgoing.emit(1, 0)
    assert outgoing.fits(5 << 20)


def test_without_credit_nothing_holds_back():
    """Workers send to workers whatever they have."""
    outgoing = Outgoing(credit_messages=None, credit_bytes=None)
    outgoing.emit(1_000_000, 1 << 40)
    assert outgoing.room() == UNLIMITED
    assert outgoing.fits(1 << 40)


def test_an_older_state_changes_nothing(state):
    """States that overtook each other count once, in the order they were made."""
    outgoing = Outgoing()
    outgoing.emit(10, 0)
    assert outgoing.settle(state(2, taken=7)) == (7, [])
    assert outgoing.settle(state(2, taken=9)) is None
    assert outgoing.settle(state(1, taken=9)) is None
    assert (outgoing.acknowledged, outgoing.absurd) == (7, 0)


def test_refusals_come_out_once_however_often_they_are_told(state):
    """The target repeats them until it knows that they were seen."""
    outgoing = Outgoing()
    outgoing.emit(10, 0)
    one, two = refusal(2), refusal(5)
    assert outgoing.settle(state(1, taken=4, refusals=[one])).refusals == [one]
    assert outgoing.settle(state(2, taken=10, refusals=[one, two])).refusals == [two]
    assert outgoing.settle(state(3, taken=10, refusals=[one, two])).refusals == []
    assert outgoing.settle(state(4, taken=10, refusals=[two], refusals_from=1)).refusals == []
    assert outgoing.refusals_seen == 2
    assert not outgoing.open


@pytest.mark.parametrize(
    "claim",
    [
        {"taken": 11},
        {"taken": 4},
        {"taken": 10, "refusals": [refusal(10, 2)]},
        {"taken": 10, "refusals": [refusal(5)]},
        {"taken": 10, "refusals": [refusal(0)]},
        {"taken": 10, "refusals_from": 1, "refusals": [refusal(6)]},
    ],
    ids=["never emitted", "taken back", "refused beyond", "refused after it was settled", "no sequence", "skipped"],
)
def test_an_absurd_state_is_counted_and_changes_nothing(state, claim):
    """Nobody settles what was not emitted, settles it twice, or takes an acknowledgement back."""
    outgoing = Outgoing()
    outgoing.emit(10, 0)
    outgoing.settle(state(1, taken=5, credit_messages=64))
    assert outgoing.settle(state(2, credit_messages=10_000, **claim)) is None
    assert outgoing.absurd == 1
    assert (outgoing.acknowledged, outgoing.refusals_seen, outgoing.room()) == (5, 0, 54)
    assert outgoing.settle(state(2, taken=6)).acknowledged == 6


def test_bytes_of_lost_frames_do_not_use_up_the_credit(state):
    """The target never sees their size, so the source must take them out of its own sum, or it would starve."""
    outgoing, incoming = Outgoing(), Incoming(window_messages=64, window_bytes=FIRST_BYTES)
    number = 0
    for _ in range(5):
        outgoing.emit(1, FIRST_BYTES // 2)  # is lost
        first = outgoing.emit(1, FIRST_BYTES // 2)
        assert incoming.take(first, 1, FIRST_BYTES // 2).lost == 1
        incoming.place(1, FIRST_BYTES // 2)
        number += 1
        outgoing.settle(state(number, **incoming.state_fields()._asdict()))
        incoming.confirm(state(number, refusals_seen=outgoing.refusals_seen))
        outgoing.emit(1, 1)  # something is outstanding, so that only credit can let the next one go
        assert outgoing.fits(FIRST_BYTES - 1)
        assert not outgoing.fits(FIRST_BYTES)
        incoming.take(outgoing.emitted, 1, 1)
        incoming.place(1, 1)
        number += 1
        outgoing.settle(state(number, **incoming.state_fields()._asdict()))
