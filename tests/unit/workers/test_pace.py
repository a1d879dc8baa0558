"""How many messages are taken at a time, while nobody waits for a turn, and while others do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.intake.pace import AT_ONCE, FEW_TURNS, LONGEST_NS, WHILE_OTHERS_WAIT, Pace
from workers.worker_pass import MAX_PASS_NS, SLICE_NS

LARGEST_FRAME = 256


@pytest.fixture
def clock(monkeypatch):
    now_ns = [10**9]
    monkeypatch.setattr("workers.intake.pace.monotonic_ns", lambda: now_ns[0])
    return now_ns


def test_nobody_waits(clock):
    """On an idle shard a batch is taken each time, however much was taken and however little ran."""
    pace = Pace()
    assert [pace.most(10**6 * n, 0, True) for n in range(3)] == [AT_ONCE] * 3


@given(waiting=st.integers(1, 5_000), frame=st.integers(1, LARGEST_FRAME), in_slice=st.integers(4, 100))
def test_what_waits_ends(waiting, frame, in_slice):
    """However much waits and comes, and however large frames are: where turns are short, nothing waits at last."""
    with pytest.MonkeyPatch.context() as patched:
        now_ns = 10**9
        patched.setattr("workers.intake.pace.monotonic_ns", lambda: now_ns)
        pace, taken, turns = Pace(), waiting, 0
        pace.most(taken, turns, True)
        while taken > turns:
            assert turns < 4 * (waiting + LARGEST_FRAME + WHILE_OTHERS_WAIT)
            turns += min(in_slice, taken - turns)
            now_ns += SLICE_NS
            if taken > turns and (most := pace.most(taken, turns, False)):
                taken += -(-most // frame) * frame


def test_who_comes_is_seen_to_where_turns_are_long(clock):
    """Where hardly any turns run, some messages are taken every 5 ms, however many were taken before."""
    pace, taken, turns, times = Pace(), 10_000, 0, 0
    pace.most(taken, turns, True)
    for _ in range(100):
        clock[0] += MAX_PASS_NS // 2
        turns += FEW_TURNS // 2 - 1
        if most := pace.most(taken, turns, False):
            times += 1
            taken += most
    assert times == 50


def test_a_batch_is_paid_for_with_turns(clock):
    """After a batch four turns run for three of its messages, before more are taken."""
    pace = Pace()
    pace.most(300, 100, True)
    assert pace.most(300, 100, False) == WHILE_OTHERS_WAIT
    clock[0] += LONGEST_NS - 1
    assert pace.most(600, 100 + 399, False) == 0
    assert pace.most(600, 100 + 400, False) == WHILE_OTHERS_WAIT


def test_who_comes_is_seen_to_where_turns_become_long(clock):
    """Some are taken after 20 ms, though many short turns ran before the long ones, and for however much none ran."""
    pace = Pace()
    pace.most(0, 0, True)
    assert pace.most(0, 0, False) == WHILE_OTHERS_WAIT
    for number in range(1, 4):
        taken, turns = 10_000 * number, 2 * FEW_TURNS * number
        clock[0] += LONGEST_NS - 1
        assert pace.most(taken, turns, False) == 0
        clock[0] += 1
        assert pace.most(taken, turns, False) == WHILE_OTHERS_WAIT
