import pytest

from caxton.agents.limits import BOUNDS
from caxton.supervisor.workforce.crash_note import CrashNote
from caxton.supervisor.workforce.turn_watch import LONGEST_TURN_NS, LONGEST_WAIT_NS, TurnWatch

START = 1_000
TURN = CrashNote(7, 8, 9, START)


@pytest.fixture
def hangs():
    """A function that looks at a worker in a turn, so long after its start, with so much computed in its life."""
    watch = TurnWatch()
    return lambda after_ns, computed_ns, note=TURN, *, stopped=False: watch.hangs(
        note, START + after_ns, computed_ns, stopped=stopped
    )


@pytest.mark.parametrize("note", [None, CrashNote(7, 8, 0, START)])
def test_who_is_in_no_turn_hangs(hangs, note):
    """A worker that says nothing and is in no turn has nothing that may last."""
    assert hangs(0, 0, note)


def test_a_turn_within_the_longest_limit_is_no_hang(hangs):
    """Whatever the worker computes, a turn that is younger than any may become is let go on."""
    assert BOUNDS["max_execution_ms"][1] * 1_000_000 < LONGEST_TURN_NS
    assert not hangs(0, 0)
    assert not hangs(LONGEST_TURN_NS - 1, 10 * LONGEST_TURN_NS)


def test_a_worker_that_is_given_no_time_is_waited_for(hangs):
    """A guest's limit is computing time: on a busy machine its turn lasts longer, up to a minute."""
    assert not hangs(0, 5_000)
    assert not hangs(2 * LONGEST_TURN_NS, 4_999 + LONGEST_TURN_NS)
    assert hangs(2 * LONGEST_TURN_NS, 5_000 + LONGEST_TURN_NS)
    assert hangs(LONGEST_WAIT_NS, 5_001)


def test_a_worker_that_is_stopped_is_not_waited_for(hangs):
    """One that is not let run at all has the time of the longest turn, by the clock on the wall."""
    assert not hangs(LONGEST_TURN_NS - 1, 0, stopped=True)
    assert hangs(LONGEST_TURN_NS, 0, stopped=True)


def test_each_turn_has_its_own_time(hangs):
    """What was computed in turns before does not count."""
    assert not hangs(0, 0)
    later = CrashNote(7, 9, 9, START + LONGEST_TURN_NS)
    assert not hangs(LONGEST_TURN_NS, LONGEST_TURN_NS, later)
    assert not hangs(3 * LONGEST_TURN_NS, LONGEST_TURN_NS + 1, later)
