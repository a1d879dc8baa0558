"""What a program makes of messages that were given in an answer that is lost, and of what comes behind a failure."""

import pytest

from caxton.acl.envelope import DURABLE, Cause, Envelope, Waiters
from caxton.client.attached.schedule import Schedule
from caxton.wire.calls import Ended
from caxton.wire.delivery import Delivery

FAILED = Ended(0, [], "ValueError: no")


@pytest.fixture
def schedule():
    return Schedule("sender", 2)


def given(number, message, sender=1, tries=1):
    """Give a message under a number."""
    envelope = Envelope(message.to_bytes(16), 7, sender, 5, b"", flags=DURABLE)
    return Delivery(number, tries, envelope)


def begun(schedule):
    """Begin what may begin; the messages, by key, first to last."""
    return [held for key in iter(schedule.start, None) for held in schedule.begin(key, 9)]


def numbers(some):
    return [held.number for held in some]


def test_what_comes_behind_a_lost_answer_goes_back(schedule):
    """An answer that says that others were given before it which never came is not begun: it goes back, behind them."""
    schedule.arrived([given(1, 1)], 1, 0)
    first = begun(schedule)
    schedule.arrived([given(3, 3)], 3, before=2)  # 2 is in an answer that was lost
    assert numbers(first) == [1]
    ended, returned = schedule.collect()
    assert (ended, returned, schedule.kept(), schedule.seen) == ([], [3], [1], 3)
    schedule.confirmed()
    schedule.arrived([given(4, 2), given(5, 3)], 5, before=1)
    schedule.end(first[0], Ended(0))
    assert numbers(schedule.begin(1, 9)) == [4, 5]


def test_what_was_begun_does_not_go_back_behind_a_lost_answer(schedule):
    """A message that runs here, and is given again in an answer behind a lost one, ends under its new number."""
    schedule.arrived([given(1, 1)], 1, 0)
    (held,) = begun(schedule)
    schedule.arrived([given(3, 1, tries=2), given(4, 2)], 4, before=2)
    schedule.end(held, Ended(0))
    ended, returned = schedule.collect()
    assert ([end.delivery for end in ended], returned) == ([3], [4])


@pytest.mark.parametrize("before", [0, 1])
def test_what_was_heard_of_holds_up_nothing(schedule, before):
    """Messages that were given before and are here are no reason to give anything back, nor is an older worker."""
    schedule.arrived([given(1, 1)], 1, 0)
    begun(schedule)
    schedule.arrived([given(2, 2, sender=2)], 2, before)
    assert numbers(begun(schedule)) == [2]
    assert schedule.collect() == ([], [])


def test_the_first_answer_has_nothing_before_it(schedule):
    """After a loss the shard takes back what the program does not name, so that nothing comes before what it gives."""
    schedule.arrived([given(8, 1)], 8, before=7)
    assert numbers(begun(schedule)) == [8]


def test_what_is_behind_a_failure_goes_back_until_it_is_confirmed(schedule):
    """The end of an earlier message of the pair does not let go on what is behind a failure that no shard knows of."""
    schedule.arrived([given(1, 1), given(2, 2)], 2)
    first, second = begun(schedule)
    schedule.end(first, Ended(0))
    schedule.collect()  # the end of the first is under way
    schedule.end(second, FAILED)
    assert schedule.begin(1, 9) == []
    schedule.confirmed()  # and known; the failure is not
    schedule.arrived([given(3, 3)], 3, before=2)
    assert begun(schedule) == []
    ended, returned = schedule.collect()
    assert ([end.delivery for end in ended], returned) == ([2], [3])
    schedule.confirmed()
    schedule.arrived([given(4, 2, tries=2), given(5, 3)], 5)
    assert numbers(begun(schedule)) == [4, 5]


@pytest.mark.parametrize("order", ["conversation", "sender"])
def test_what_a_call_waits_for_runs_beside_it(order):
    """A message that a call waits for does not wait behind that call, whatever they share; others of the key do."""
    schedule = Schedule(order, 2)
    schedule.arrived([given(1, 1)])
    assert numbers(begun(schedule)) == [1]
    asked = given(3, 3)
    asked.message.cause = Cause(1, bytes(16), waiters=Waiters(((1).to_bytes(16),)))
    schedule.arrived([given(2, 2), asked])
    assert numbers(begun(schedule)) == [3]
