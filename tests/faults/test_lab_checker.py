from hypothesis import given
from hypothesis import strategies as st

from faultlab.checker import Sync, doubles, judge, uncovered
from faultlab.journals import Outcome, Recorded, Sent
from faultlab.serial import Serial

NUMBERS = st.integers(0, 40)


def sent(number, outcome=Outcome.ACKNOWLEDGED, shard=0, sent_ns=0, ended_ns=10):
    return Sent(Serial(1, number), outcome, shard, sent_ns, ended_ns)


def recorded(number, message_id=b"m" * 16, delivery_count=1):
    return Recorded(Serial(1, number), message_id, delivery_count, 0)


@given(st.sets(NUMBERS), st.sets(NUMBERS), st.sets(NUMBERS), st.sets(NUMBERS))
def test_what_is_nowhere_is_lost(acknowledged, arrived, dead, pending):
    """Lost is exactly what was acknowledged and was not recorded, is no dead letter, and does not wait."""
    verdict = judge(
        [sent(n) for n in acknowledged],
        [recorded(n) for n in arrived],
        {Serial(1, n) for n in dead},
        {Serial(1, n) for n in pending},
    )

    assert {serial.number for serial in verdict.lost} == acknowledged - arrived - dead - pending
    assert verdict.clean == (not verdict.lost)


def test_an_unknown_message_may_be_anywhere():
    """A message whose send ended without word is neither lost when it is nowhere nor wrong when it arrives."""
    assert judge([sent(1, Outcome.UNKNOWN), sent(2, Outcome.UNKNOWN)], [recorded(2)]).clean


def test_a_refused_message_that_arrives_is_an_effect_too_many():
    """A message that was refused, which says that it had no effect, counts as double when it was recorded."""
    assert judge([sent(1, Outcome.REFUSED)], [recorded(1)]).double == [Serial(1, 1)]


def test_a_second_delivery_must_say_so():
    """The same message again is no double effect when its delivery_count says that it may have been handled before."""
    assert doubles([recorded(1), recorded(1, delivery_count=2)]) == []
    assert doubles([recorded(1), recorded(1)]) == [Serial(1, 1)]


def test_a_second_message_id_is_a_double_effect():
    """Two messages with one serial are a double effect of who sent them, whatever their delivery_count says."""
    assert doubles([recorded(1), recorded(1, message_id=b"n" * 16, delivery_count=2)]) == [Serial(1, 1)]


def test_an_acknowledgement_without_a_sync_is_found():
    """A sync covers what was sent before it began and acknowledged after it ended, on its own shard only."""
    syncs = [Sync(0, 5, 8), Sync(1, 1, 2), Sync(0, 20, 30)]
    covered = [sent(1, sent_ns=4, ended_ns=9), sent(2, sent_ns=9, ended_ns=30)]
    early = [sent(3, sent_ns=6, ended_ns=29), sent(4, sent_ns=4, ended_ns=7), sent(5, shard=1, sent_ns=3, ended_ns=9)]

    assert uncovered(covered, syncs) == []
    assert [serial.number for serial in uncovered([*covered, *early], syncs)] == [3, 4, 5]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), max_size=8), st.integers(0, 60), st.integers(0, 60))
def test_covering_is_what_it_says(lengths, sent_ns, ended_ns):
    """A message is covered exactly when some sync that began after it was sent had ended when it was acknowledged."""
    syncs, at_ns = [], 0
    for gap, length in lengths:
        syncs.append(Sync(0, at_ns + gap, at_ns + gap + length))
        at_ns = syncs[-1].ended_ns
    message = sent(1, sent_ns=sent_ns, ended_ns=ended_ns)

    covered = any(sync.began_ns >= sent_ns and sync.ended_ns <= ended_ns for sync in syncs)
    assert (uncovered([message], syncs) == []) == covered
